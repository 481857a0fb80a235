//! SUM that fails where DataFusion's wraps around.
//!
//! DataFusion 55 adds whole numbers and decimals modulo 2^64 or 2^128, so a sum that does not fit comes out as some
//! other number, often a negative one. Here it is an error that says what to write instead. Sums of floats remain
//! DataFusion's own. So do sums over sliding window frames, which subtract rows as well as add them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, UInt64Type};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::{Accumulator, AggregateUDF, EmitTo, GroupsAccumulator};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::prim_op::PrimitiveGroupsAccumulator;

use super::mended::Mended;
use crate::error::EngineError;

/// `sum`, in place of DataFusion's.
pub(super) fn checked_sum() -> Arc<AggregateUDF> {
    Arc::new(Mended { inner: sum_udaf(), groups, total }.into())
}

fn groups(data_type: &DataType) -> Option<Box<dyn GroupsAccumulator>> {
    match data_type {
        DataType::Int64 => Some(Box::new(Totals::new::<Int64Type>(data_type))),
        DataType::UInt64 => Some(Box::new(Totals::new::<UInt64Type>(data_type))),
        DataType::Decimal128(..) => Some(Box::new(Totals::new::<Decimal128Type>(data_type))),
        _ => None,
    }
}

fn total(data_type: &DataType) -> Option<Box<dyn Accumulator>> {
    match data_type {
        DataType::Int64 => Some(Box::new(Total::<Int64Type>::new(data_type))),
        DataType::UInt64 => Some(Box::new(Total::<UInt64Type>::new(data_type))),
        DataType::Decimal128(..) => Some(Box::new(Total::<Decimal128Type>::new(data_type))),
        _ => None,
    }
}

/// A type whose sums may not fit.
trait Summed: ArrowPrimitiveType + Send {
    /// The sum of two values, or nothing where the type cannot hold it.
    fn add(data_type: &DataType)
    -> impl Fn(Self::Native, Self::Native) -> Option<Self::Native> + Send + Sync + 'static;
}

impl Summed for Int64Type {
    fn add(_: &DataType) -> impl Fn(i64, i64) -> Option<i64> + Send + Sync + 'static {
        i64::checked_add
    }
}

impl Summed for UInt64Type {
    fn add(_: &DataType) -> impl Fn(u64, u64) -> Option<u64> + Send + Sync + 'static {
        u64::checked_add
    }
}

impl Summed for Decimal128Type {
    fn add(data_type: &DataType) -> impl Fn(i128, i128) -> Option<i128> + Send + Sync + 'static {
        let digits = if let DataType::Decimal128(precision, _) = data_type { u32::from(*precision) } else { 38 };
        let most = 10_i128.checked_pow(digits).map_or(i128::MAX, |power| power - 1);
        move |a, b| a.checked_add(b).filter(|sum| (-most..=most).contains(sum))
    }
}

fn overflow(data_type: &DataType) -> DataFusionError {
    EngineError::spec(format!(
        "a SUM is beyond what {data_type} holds; cast what is added up to DOUBLE, or whole numbers to DECIMAL(38, 0)"
    ))
    .into()
}

/// Sums of groups, and whether one of them did not fit.
struct Totals {
    sums: Box<dyn GroupsAccumulator>,
    overflowed: Arc<AtomicBool>,
    data_type: DataType,
}

impl Totals {
    fn new<T: Summed>(data_type: &DataType) -> Self {
        let overflowed = Arc::new(AtomicBool::new(false));
        let (add, flag) = (T::add(data_type), Arc::clone(&overflowed));
        // The addition cannot return an error from in there, so it sets a flag.
        let sums = PrimitiveGroupsAccumulator::<T, _>::new(data_type, move |sum, value| match add(*sum, value) {
            Some(next) => *sum = next,
            None => flag.store(true, Ordering::Relaxed),
        });
        Self { sums: Box::new(sums), overflowed, data_type: data_type.clone() }
    }

    fn check(&self) -> Result<()> {
        if self.overflowed.load(Ordering::Relaxed) { Err(overflow(&self.data_type)) } else { Ok(()) }
    }
}

impl GroupsAccumulator for Totals {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.sums.update_batch(values, groups, filter, total_groups)?;
        self.check()
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        self.sums.evaluate(emit)
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        self.sums.state(emit)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total_groups: usize) -> Result<()> {
        self.sums.merge_batch(values, groups, total_groups)?;
        self.check()
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.sums.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        self.sums.size()
    }
}

/// The sum of all rows.
struct Total<T: Summed> {
    sum: Option<T::Native>,
    data_type: DataType,
}

impl<T: Summed> std::fmt::Debug for Total<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Total").field("sum", &self.sum).finish_non_exhaustive()
    }
}

impl<T: Summed> Total<T> {
    fn new(data_type: &DataType) -> Self {
        Self { sum: None, data_type: data_type.clone() }
    }
}

impl<T: Summed> Accumulator for Total<T> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let add = T::add(&self.data_type);
        for value in values.iter().flat_map(|values| values.as_primitive::<T>()).flatten() {
            let sum = add(self.sum.unwrap_or_default(), value);
            self.sum = Some(sum.ok_or_else(|| overflow(&self.data_type))?);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::new_primitive::<T>(self.sum, &self.data_type)
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Decimal128Array, Int64Array, UInt64Array};

    #[test]
    fn sums_that_fit_are_told_as_often_as_one_asks() {
        let mut sum = Total::<Int64Type>::new(&DataType::Int64);
        assert_eq!(sum.evaluate().unwrap(), ScalarValue::Int64(None));
        sum.update_batch(&[Arc::new(Int64Array::from(vec![Some(1), None, Some(2)]))]).unwrap();
        assert_eq!(sum.evaluate().unwrap(), ScalarValue::Int64(Some(3)));
        assert_eq!(sum.state().unwrap(), [ScalarValue::Int64(Some(3))]);
        sum.merge_batch(&[Arc::new(Int64Array::from(vec![i64::MAX - 3]))]).unwrap();
        assert_eq!(sum.evaluate().unwrap(), ScalarValue::Int64(Some(i64::MAX)));
        let error = sum.update_batch(&[Arc::new(Int64Array::from(vec![1]))]).unwrap_err();
        assert!(error.to_string().contains("Int64 holds"), "{error}");
    }

    #[test]
    fn a_decimal_has_the_digits_of_its_type() {
        let decimal = DataType::Decimal128(38, 2);
        let value = |value| Arc::new(Decimal128Array::from(vec![value]).with_data_type(decimal.clone())) as ArrayRef;
        let mut sum = Total::<Decimal128Type>::new(&decimal);
        sum.update_batch(&[value(10_i128.pow(38) - 2)]).unwrap();
        sum.update_batch(&[value(1)]).unwrap();
        assert!(sum.update_batch(&[value(1)]).is_err());
    }

    #[test]
    fn groups_have_sums_of_their_own() {
        let mut sums = Totals::new::<UInt64Type>(&DataType::UInt64);
        let values: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX, 1, 2]));
        sums.update_batch(std::slice::from_ref(&values), &[0, 1, 1], None, 2).unwrap();
        let states = sums.state(EmitTo::All).unwrap();
        assert_eq!(states[0].as_primitive::<UInt64Type>().values(), &[u64::MAX, 3]);
        assert!(sums.update_batch(std::slice::from_ref(&values), &[0, 0, 0], None, 1).is_err());
    }
}
