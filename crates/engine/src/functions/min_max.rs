//! MIN and MAX that mean the same with groups as without: NaN is greater than every number, and the answer is always a
//! value of some row.
//!
//! With groups, DataFusion 55 keeps whichever of a number and NaN comes last, so an answer depends on the order of
//! rows. It also starts from the smallest and largest finite float, so a group of infinities gets a number that none of
//! its rows has. For all other types these are DataFusion's own.

use std::sync::Arc;

use arrow::array::ArrowPrimitiveType;
use arrow::datatypes::{DataType, Float16Type, Float32Type, Float64Type};
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::logical_expr::{AggregateUDF, GroupsAccumulator};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::prim_op::PrimitiveGroupsAccumulator;

use super::mended::Mended;

/// `min` and `max`, in place of DataFusion's.
pub(super) fn min_max() -> [Arc<AggregateUDF>; 2] {
    [
        Arc::new(Mended { inner: min_udaf(), groups: groups::<false>, total: |_| None }.into()),
        Arc::new(Mended { inner: max_udaf(), groups: groups::<true>, total: |_| None }.into()),
    ]
}

/// The accumulator of the largest or the smallest value of each group, for floats.
fn groups<const LARGEST: bool>(data_type: &DataType) -> Option<Box<dyn GroupsAccumulator>> {
    match data_type {
        DataType::Float16 => Some(of_floats::<Float16Type, LARGEST>(data_type)),
        DataType::Float32 => Some(of_floats::<Float32Type, LARGEST>(data_type)),
        DataType::Float64 => Some(of_floats::<Float64Type, LARGEST>(data_type)),
        _ => None,
    }
}

fn of_floats<T: Total, const LARGEST: bool>(data_type: &DataType) -> Box<dyn GroupsAccumulator> {
    let keep = |current: &mut T::Native, new: T::Native| {
        let is_better = if LARGEST { T::is_after(new, *current) } else { T::is_after(*current, new) };
        if is_better {
            *current = new;
        }
    };
    let start = if LARGEST { T::LOWEST } else { T::HIGHEST };
    Box::new(PrimitiveGroupsAccumulator::<T, _>::new(data_type, keep).with_starting_value(start))
}

/// A float whose order is total, with NaN above all.
trait Total: ArrowPrimitiveType + Send {
    const LOWEST: Self::Native;
    const HIGHEST: Self::Native;

    /// Whether `a` comes after `b`. NaNs count as equal and -0.0 comes before 0.0, so there is one answer for any order
    /// of rows.
    fn is_after(a: Self::Native, b: Self::Native) -> bool;
}

macro_rules! total {
    ($type:ty) => {
        impl Total for $type {
            const LOWEST: Self::Native = Self::Native::NEG_INFINITY;
            const HIGHEST: Self::Native = Self::Native::NAN;

            fn is_after(a: Self::Native, b: Self::Native) -> bool {
                match (a.is_nan(), b.is_nan()) {
                    (false, false) => a.total_cmp(&b).is_gt(),
                    (is_nan, other_is_nan) => is_nan && !other_is_nan,
                }
            }
        }
    };
}
total!(Float16Type);
total!(Float32Type);
total!(Float64Type);

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
    use datafusion::logical_expr::EmitTo;

    fn extremes(values: &[f64]) -> [f64; 2] {
        let array: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
        let of = |mut groups: Box<dyn GroupsAccumulator>| {
            groups.update_batch(std::slice::from_ref(&array), &vec![0; values.len()], None, 1).unwrap();
            groups.evaluate(EmitTo::All).unwrap().as_primitive::<Float64Type>().value(0)
        };
        let data_type = array.data_type();
        [of(groups::<false>(data_type).unwrap()), of(groups::<true>(data_type).unwrap())]
    }

    #[test]
    fn the_order_of_rows_does_not_matter() {
        let bits = |values: &[f64]| extremes(values).map(f64::to_bits);
        let mut values = vec![f64::NAN, 1.0, -0.0, f64::NEG_INFINITY, 0.0];
        let expected = bits(&values);
        for _ in 0..values.len() {
            values.rotate_left(1);
            assert_eq!(bits(&values), expected);
        }
        assert_eq!(extremes(&values)[0], f64::NEG_INFINITY);
        assert!(extremes(&values)[1].is_nan());
        assert_eq!(bits(&[0.0, -0.0]), [-0.0_f64, 0.0].map(f64::to_bits));
    }

    #[test]
    fn nothing_is_invented() {
        assert_eq!(extremes(&[f64::INFINITY]), [f64::INFINITY; 2]);
        assert_eq!(extremes(&[f64::NEG_INFINITY]), [f64::NEG_INFINITY; 2]);
        assert!(extremes(&[f64::NAN, -f64::NAN]).iter().all(|value| value.is_nan()));
        assert_eq!(extremes(&[f64::NAN, 7.0])[0], 7.0);
    }
}
