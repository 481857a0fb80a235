//! SQL functions that Segmenta adds to every session, on the driver and on the workers, and the aggregates that replace
//! DataFusion's.

mod checked_sum;
mod mended;
mod min_max;
mod unreversed;

use std::sync::Arc;

use crate::artifact::part_of;
use arrow::array::{Array, ArrayRef, AsArray, StringArray, UInt32Array, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, UInt32Type, UInt64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    AggregateUDF, ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, WindowUDF,
};
use segmenta_algorithms::hashing::{combine, hash_bytes, mix};

/// Name of [`RowId`] in SQL.
pub const ROW_ID: &str = "segmenta_row_id";

/// Name of [`PartOf`] in SQL.
pub const PART_OF: &str = "segmenta_part";

/// The aggregates that replace DataFusion's of the same names.
pub(crate) fn aggregates() -> Vec<Arc<AggregateUDF>> {
    min_max::min_max().into_iter().chain([checked_sum::checked_sum()]).collect()
}

/// The window functions: `functions`, with some of ours in place of theirs.
pub(crate) fn windows(functions: Vec<Arc<WindowUDF>>) -> Vec<Arc<WindowUDF>> {
    unreversed::unreversed(functions)
}

/// All functions.
#[must_use]
pub fn all() -> Vec<Arc<ScalarUDF>> {
    vec![Arc::new(ScalarUDF::from(RowId::new())), Arc::new(ScalarUDF::from(PartOf::new()))]
}

/// `segmenta_row_id(id, …) -> UInt64`: a stable hash of a row's id columns. It orders rows, breaks ties, and decides on
/// samples and on the part that a row belongs to. It does not depend on the platform, the library versions or the width
/// of an integer.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct RowId {
    signature: Signature,
}

impl RowId {
    fn new() -> Self {
        Self { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for RowId {
    fn name(&self) -> &str {
        ROW_ID
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut hashes = vec![0u64; args.number_rows];
        for array in ColumnarValue::values_to_arrays(&args.args)? {
            hash_into(&array, &mut hashes)?;
        }
        Ok(ColumnarValue::Array(Arc::new(UInt64Array::from(hashes))))
    }
}

/// `segmenta_part(row_id, parts) -> UInt32`: which of `parts` slices a row id falls into, see
/// [`part_of`].
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct PartOf {
    signature: Signature,
}

impl PartOf {
    fn new() -> Self {
        Self { signature: Signature::exact(vec![DataType::UInt64, DataType::UInt32], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for PartOf {
    fn name(&self) -> &str {
        PART_OF
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [rows, parts] = arrays.as_slice() else {
            return exec_err!("{PART_OF} takes a row id and a number of parts");
        };
        let parts = parts.as_primitive::<UInt32Type>().values();
        let rows = rows.as_primitive::<UInt64Type>().values();
        let slices = rows.iter().zip(parts).map(|(row, parts)| part_of(*row, *parts));
        Ok(ColumnarValue::Array(Arc::new(UInt32Array::from_iter_values(slices))))
    }
}

/// The row id of one row, given its id columns as arrays of one value each.
///
/// # Errors
/// When a type cannot be hashed.
pub fn row_id(id: &[ArrayRef]) -> Result<u64> {
    let mut hash = [0];
    id.iter().try_for_each(|column| hash_into(column, &mut hash))?;
    Ok(hash[0])
}

/// Whether values of a type are bytes, such as those of a UUID.
#[must_use]
pub fn is_bytes(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_bytes(values),
        DataType::FixedSizeBinary(_) | DataType::Binary | DataType::LargeBinary | DataType::BinaryView => true,
        _ => false,
    }
}

fn hash_into(array: &ArrayRef, hashes: &mut [u64]) -> Result<()> {
    let integers = match array.data_type() {
        DataType::UInt64 => Some(array.as_primitive::<UInt64Type>().values().to_vec()),
        t if t.is_integer() => {
            let wide = cast(array, &DataType::Int64)?;
            Some(wide.as_primitive::<Int64Type>().values().iter().map(|v| *v as u64).collect())
        }
        _ => None,
    };
    if let Some(integers) = integers {
        for (hash, value) in hashes.iter_mut().zip(integers) {
            *hash = combine(*hash, mix(value));
        }
        return Ok(());
    }
    if is_bytes(array.data_type()) {
        let bytes = cast(array, &DataType::Binary)?;
        for (hash, value) in hashes.iter_mut().zip(bytes.as_binary::<i32>()) {
            *hash = combine(*hash, hash_bytes(value.unwrap_or_default()));
        }
        return Ok(());
    }
    let text = cast(array, &DataType::Utf8)?;
    let Some(text) = text.as_any().downcast_ref::<StringArray>() else {
        return exec_err!("{ROW_ID}: an id of type {} cannot be hashed", array.data_type());
    };
    for (i, hash) in hashes.iter_mut().enumerate() {
        let value = if text.is_null(i) { "" } else { text.value(i) };
        *hash = combine(*hash, hash_bytes(value.as_bytes()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{BinaryArray, FixedSizeBinaryArray, Int32Array, Int64Array};

    #[test]
    fn the_layout_of_bytes_does_not_matter() {
        let values: [&[u8]; 3] = [&[0, 1], &[0xff, 2], &[7, 7]];
        let binary: ArrayRef = Arc::new(BinaryArray::from(values.to_vec()));
        let fixed: ArrayRef = Arc::new(FixedSizeBinaryArray::try_from_iter(values.into_iter()).unwrap());
        let view = cast(&binary, &DataType::BinaryView).unwrap();
        let hashed = |array: &ArrayRef| {
            let mut hashes = vec![0; 3];
            hash_into(array, &mut hashes).unwrap();
            hashes
        };
        assert!(hashed(&binary) == hashed(&fixed) && hashed(&binary) == hashed(&view));
        assert_ne!(hashed(&binary)[0], hashed(&binary)[1]);
    }

    #[test]
    fn the_width_of_an_integer_does_not_matter() {
        let (mut narrow, mut wide) = (vec![0; 3], vec![0; 3]);
        hash_into(&(Arc::new(Int32Array::from(vec![1, -2, 3])) as ArrayRef), &mut narrow).unwrap();
        hash_into(&(Arc::new(Int64Array::from(vec![1, -2, 3])) as ArrayRef), &mut wide).unwrap();
        assert_eq!(narrow, wide);
        assert_ne!(narrow[0], narrow[1]);
    }
}
