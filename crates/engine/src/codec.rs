//! How Segmenta's operators travel in plans: Ballista's own codec, and ours in front of it.
//!
//! ```text
//!   "SGMT" | kind | body        kind 0: MapPartsExec, body: name of the task, 0, task in postcard
//!                               kind 1: WriteFeaturesExec, body: its settings in postcard
//!                               kind 2: ScatterExec, kind 3: GatherExec, body: their settings in postcard
//!                               kind 4: WholeExec, no body
//! ```

use std::sync::Arc;

use ballista_core::serde::BallistaPhysicalExtensionCodec;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};

use crate::operators::hdbscan::{Gather, GatherExec, Scatter, ScatterExec};
use crate::operators::{self, MapPartsExec, WholeExec, WriteFeatures, WriteFeaturesExec};

const MAGIC: &[u8; 4] = b"SGMT";
const MAP_PARTS: u8 = 0;
const WRITE_FEATURES: u8 = 1;
const SCATTER: u8 = 2;
const GATHER: u8 = 3;
const WHOLE: u8 = 4;

/// Encodes and decodes Segmenta's operators, and hands the rest to Ballista.
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
            Some((&MAP_PARTS, body)) => {
                let end = body.iter().position(|byte| *byte == 0).ok_or_else(|| malformed("no task name"))?;
                let name = std::str::from_utf8(&body[..end]).map_err(malformed)?;
                let task = operators::decode_task(name, &body[end + 1..])?;
                Ok(Arc::new(MapPartsExec::new(task, Arc::clone(input))))
            }
            Some((&WRITE_FEATURES, body)) => {
                let settings: WriteFeatures = postcard::from_bytes(body).map_err(malformed)?;
                Ok(Arc::new(WriteFeaturesExec::new(settings, Arc::clone(input))))
            }
            Some((&SCATTER, body)) => {
                let settings: Scatter = postcard::from_bytes(body).map_err(malformed)?;
                Ok(Arc::new(ScatterExec::new(settings, Arc::clone(input))))
            }
            Some((&GATHER, body)) => {
                let settings: Gather = postcard::from_bytes(body).map_err(malformed)?;
                Ok(Arc::new(GatherExec::new(settings, Arc::clone(input))))
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
        if let Some(map) = node.downcast_ref::<MapPartsExec>() {
            let mut body = map.task().name().as_bytes().to_vec();
            body.push(0);
            body.extend_from_slice(&map.task().encode()?);
            ours(MAP_PARTS, &body);
        } else if let Some(write) = node.downcast_ref::<WriteFeaturesExec>() {
            ours(WRITE_FEATURES, &postcard::to_stdvec(write.settings()).map_err(malformed)?);
        } else if let Some(scatter) = node.downcast_ref::<ScatterExec>() {
            ours(SCATTER, &postcard::to_stdvec(scatter.settings()).map_err(malformed)?);
        } else if let Some(gather) = node.downcast_ref::<GatherExec>() {
            ours(GATHER, &postcard::to_stdvec(gather.settings()).map_err(malformed)?);
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
