//! MIN and MAX that mean the same for groups as without: NaN is greater than every number, and nothing else is invented.
//!
//! Of groups, DataFusion 55 keeps whichever of a number and NaN comes last, so an answer depends on the order of rows; and it
//! starts from the smallest and largest finite float, so a group of infinities gets a number that none of its rows has. Of all
//! other types these are DataFusion's own.

use std::hash::Hash;
use std::sync::Arc;

use datafusion::arrow::array::ArrowPrimitiveType;
use datafusion::arrow::datatypes::{DataType, Float16Type, Float32Type, Float64Type};
use datafusion::common::Result;
use datafusion::functions_aggregate::min_max::{Max, Min};
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, GroupsAccumulator, ReversedUDAF, SetMonotonicity,
    Signature,
};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::prim_op::PrimitiveGroupsAccumulator;

/// `min` and `max`, in the place of DataFusion's.
pub(super) fn min_max() -> [Arc<AggregateUDF>; 2] {
    [
        Arc::new(Extreme { inner: Min::new(), is_max: false }.into()),
        Arc::new(Extreme { inner: Max::new(), is_max: true }.into()),
    ]
}

/// One of the two.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Extreme<F> {
    inner: F,
    is_max: bool,
}

/// A float whose order is total, with NaN above all.
trait Total: ArrowPrimitiveType + Send {
    const LOWEST: Self::Native;
    const HIGHEST: Self::Native;

    /// Whether `a` comes after `b`. NaNs count as equal, -0.0 comes before 0.0: there is one answer for any order of rows.
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

impl<F> Extreme<F> {
    fn groups<T: Total>(&self, data_type: &DataType) -> Box<dyn GroupsAccumulator> {
        if self.is_max {
            let later = |current: &mut T::Native, new: T::Native| {
                if T::is_after(new, *current) {
                    *current = new;
                }
            };
            Box::new(PrimitiveGroupsAccumulator::<T, _>::new(data_type, later).with_starting_value(T::LOWEST))
        } else {
            let earlier = |current: &mut T::Native, new: T::Native| {
                if T::is_after(*current, new) {
                    *current = new;
                }
            };
            Box::new(PrimitiveGroupsAccumulator::<T, _>::new(data_type, earlier).with_starting_value(T::HIGHEST))
        }
    }
}

impl<F: AggregateUDFImpl + Eq + Hash> AggregateUDFImpl for Extreme<F> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arguments)
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.inner.accumulator(arguments)
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        self.inner.groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        let data_type = arguments.return_field.data_type();
        match data_type {
            DataType::Float16 => Ok(self.groups::<Float16Type>(data_type)),
            DataType::Float32 => Ok(self.groups::<Float32Type>(data_type)),
            DataType::Float64 => Ok(self.groups::<Float64Type>(data_type)),
            _ => self.inner.create_groups_accumulator(arguments),
        }
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.inner.create_sliding_accumulator(arguments)
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.inner.order_sensitivity()
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arguments)
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.inner.reverse_expr()
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.inner.set_monotonicity(data_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array};
    use datafusion::logical_expr::EmitTo;

    fn extremes(values: &[f64]) -> [f64; 2] {
        let array: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
        let of = |mut groups: Box<dyn GroupsAccumulator>| {
            groups.update_batch(std::slice::from_ref(&array), &vec![0; values.len()], None, 1).unwrap();
            groups.evaluate(EmitTo::All).unwrap().as_primitive::<Float64Type>().value(0)
        };
        let min = Extreme { inner: Min::new(), is_max: false };
        let max = Extreme { inner: Max::new(), is_max: true };
        [of(min.groups::<Float64Type>(array.data_type())), of(max.groups::<Float64Type>(array.data_type()))]
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
