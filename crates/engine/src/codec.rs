//! How Segmenta's operators travel in plans: with our codec, which hands everything else to Ballista's.
//!
//! ```text
//!   "SGMT" | kind | body        kind 0: OperatorExec, body: name of the operator, 0, its settings in postcard
//!                               kind 1: WholeExec, no body
//! ```

use std::sync::Arc;

use ballista_core::serde::BallistaPhysicalExtensionCodec;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};

use crate::operators::hdbscan::{Gather, Scatter};
use crate::operators::{DynOperator, MapParts, Operator, OperatorExec, WholeExec, WriteFeatures, decode};

const MAGIC: &[u8; 4] = b"SGMT";
const OPERATOR: u8 = 0;
const WHOLE: u8 = 1;

/// An operator's name, and how the operator is restored from its settings in postcard.
struct Known {
    name: &'static str,
    decode: fn(&[u8]) -> Result<Arc<dyn DynOperator>>,
}

const fn known<O: Operator>() -> Known {
    Known { name: O::NAME, decode: |body| Ok(Arc::new(decode::<O>(body)?)) }
}

const OPERATORS: &[Known] = &[known::<MapParts>(), known::<WriteFeatures>(), known::<Scatter>(), known::<Gather>()];

/// Encodes and decodes Segmenta's operators, and leaves the rest to Ballista.
#[derive(Debug, Default)]
pub struct SegmentaPhysicalCodec {
    ballista: BallistaPhysicalExtensionCodec,
}

fn malformed(what: impl std::fmt::Display) -> DataFusionError {
    DataFusionError::Internal(format!("malformed operator in a plan: {what}; do all processes run the same version?"))
}

impl PhysicalExtensionCodec for SegmentaPhysicalCodec {
    fn try_decode(
        &self,
        buf: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(rest) = buf.strip_prefix(MAGIC) else {
            return self.ballista.try_decode(buf, inputs, context, converter);
        };
        let [input] = inputs else {
            return Err(malformed(format!("{} inputs", inputs.len())));
        };
        match rest.split_first() {
            Some((&OPERATOR, body)) => {
                let end = body.iter().position(|byte| *byte == 0).ok_or_else(|| malformed("no name"))?;
                let name = std::str::from_utf8(&body[..end]).map_err(malformed)?;
                let known = OPERATORS.iter().find(|known| known.name == name).ok_or_else(|| malformed(name))?;
                let operator = (known.decode)(&body[end + 1..])?;
                Ok(Arc::new(OperatorExec::over(operator, Arc::clone(input))))
            }
            Some((&WHOLE, [])) => Ok(Arc::new(WholeExec::new(Arc::clone(input)))),
            _ => Err(malformed("unknown kind")),
        }
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buf: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let mut ours = |kind: u8, body: &[u8]| {
            buf.extend_from_slice(MAGIC);
            buf.push(kind);
            buf.extend_from_slice(body);
        };
        if let Some(exec) = node.downcast_ref::<OperatorExec>() {
            let mut body = exec.operator().name().as_bytes().to_vec();
            body.push(0);
            body.extend_from_slice(&exec.operator().encode()?);
            ours(OPERATOR, &body);
        } else if node.is::<WholeExec>() {
            ours(WHOLE, &[]);
        } else {
            return self.ballista.try_encode(node, buf, converter);
        }
        Ok(())
    }

    fn try_decode_udf(&self, name: &str, buf: &[u8]) -> Result<Arc<ScalarUDF>> {
        self.ballista.try_decode_udf(name, buf)
    }

    fn try_encode_udf(&self, node: &ScalarUDF, buf: &mut Vec<u8>) -> Result<()> {
        self.ballista.try_encode_udf(node, buf)
    }

    fn try_decode_udaf(&self, name: &str, buf: &[u8]) -> Result<Arc<AggregateUDF>> {
        self.ballista.try_decode_udaf(name, buf)
    }

    fn try_encode_udaf(&self, node: &AggregateUDF, buf: &mut Vec<u8>) -> Result<()> {
        self.ballista.try_encode_udaf(node, buf)
    }

    fn try_decode_udwf(&self, name: &str, buf: &[u8]) -> Result<Arc<WindowUDF>> {
        self.ballista.try_decode_udwf(name, buf)
    }

    fn try_encode_udwf(&self, node: &WindowUDF, buf: &mut Vec<u8>) -> Result<()> {
        self.ballista.try_encode_udwf(node, buf)
    }
}
