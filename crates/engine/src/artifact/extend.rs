//! A part with further columns: what it has is taken over as it is encoded.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use bytes::Bytes;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use parquet::arrow::async_writer::AsyncFileWriter;
use parquet::arrow::{ArrowSchemaConverter, ProjectionMask, add_encoded_arrow_schema_to_metadata};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use serde::{Deserialize, Serialize};

use super::{HashingWriter, Part, checked, part_url, properties, resolve, unreadable, unwritable};
use crate::error::Result;

/// Names beside the numbers of one column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameColumn {
    /// The column of numbers (int32).
    pub of: String,
    /// The column to add, after it.
    pub name: String,
    /// The name of each number that has one; null for the others.
    pub names: BTreeMap<i32, String>,
}

/// Writes a part under `prefix` that has the names beside the numbers. Nothing but the numbers is decoded. Holds both files, as they are
/// encoded, which is reserved with the task's memory pool.
///
/// # Errors
/// A part that is gone or damaged, has columns in columns, or lacks one of the numbers; a place that cannot be written to; too little memory.
pub async fn with_names(context: &TaskContext, part: &Part, prefix: &str, columns: &[NameColumn]) -> Result<Part> {
    let runtime = context.runtime_env();
    let reservation = MemoryConsumer::new("segmenta names").register(context.memory_pool());
    reservation.try_grow(2 * part.bytes as usize)?;
    let (store, path) = resolve(&runtime, &part.url)?;
    let file = async { store.get(&path).await?.bytes().await }.await.map_err(|error| unreadable(part, &error))?;
    let extended = extend(&file, columns).map_err(|error| unreadable(part, &error))?;
    drop(file);

    let url = part_url(prefix, part.index);
    let mut writer = HashingWriter::create(&runtime, &url)?;
    let written = async {
        writer.write(extended.into()).await?;
        writer.complete().await
    };
    written.await.map_err(|error| unwritable(&url, &error))?;
    Ok(writer.into_part(part.index, url, part.rows))
}

fn extend(file: &Bytes, added: &[NameColumn]) -> ParquetResult<Vec<u8>> {
    let mut reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional);
    reader.try_parse(file)?;
    let decoded = checked(Arc::new(reader.finish()?), file.len() as u64)?;
    let (metadata, before) = (decoded.metadata(), decoded.schema());
    if before.fields().len() != metadata.file_metadata().schema_descr().num_columns() {
        return Err(ParquetError::General("it has columns in columns".to_owned()));
    }
    let of = |name: &str| added.iter().find(|column| column.of == name);
    let mut fields: Vec<Field> = Vec::with_capacity(before.fields().len() + added.len());
    for field in before.fields() {
        fields.push(field.as_ref().clone());
        fields.extend(of(field.name()).map(|column| Field::new(&column.name, DataType::Utf8, true)));
    }
    let after = Schema::new(fields);
    let mut properties = properties();
    add_encoded_arrow_schema_to_metadata(&after, &mut properties);
    let schema = ArrowSchemaConverter::new().convert(&after)?;
    let room = file.len() + file.len() / 16;
    let mut writer =
        SerializedFileWriter::new(Vec::with_capacity(room), schema.root_schema_ptr(), Arc::new(properties))?;
    for group in 0..metadata.num_row_groups() {
        let mut columns = writer.next_row_group()?;
        for (column, field) in before.fields().iter().enumerate() {
            columns.append_column(file, chunk(metadata, group, column))?;
            if let Some(added) = of(field.name()) {
                write_names(&mut columns, &numbers(file, &decoded, group, column)?, added)?;
            }
        }
        columns.close()?;
    }
    writer.into_inner()
}

/// A chunk as it would have been closed by whoever wrote it.
fn chunk(metadata: &ParquetMetaData, group: usize, column: usize) -> ColumnCloseResult {
    let chunk = metadata.row_group(group).column(column);
    let column_index = metadata.column_index().and_then(|index| index.get(group)?.get(column).cloned());
    ColumnCloseResult {
        bytes_written: chunk.compressed_size().max(0) as u64,
        rows_written: metadata.row_group(group).num_rows().max(0) as u64,
        metadata: chunk.clone(),
        bloom_filter: None,
        column_index: column_index.filter(|index| !matches!(index, ColumnIndexMetaData::NONE)),
        offset_index: metadata.offset_index().and_then(|index| index.get(group)?.get(column).cloned()),
    }
}

/// The numbers of one row group.
fn numbers(
    file: &Bytes,
    decoded: &ArrowReaderMetadata,
    group: usize,
    column: usize,
) -> ParquetResult<Vec<Option<i32>>> {
    let mask = ProjectionMask::leaves(decoded.parquet_schema(), [column]);
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file.clone(), decoded.clone());
    let reader = reader.with_projection(mask).with_row_groups(vec![group]).build()?;
    let mut numbers = Vec::new();
    for batch in reader {
        let batch = batch?;
        let column = batch.columns().first().and_then(|column| column.as_primitive_opt::<Int32Type>());
        let column = column.ok_or_else(|| ParquetError::General("a column of segments holds no numbers".to_owned()))?;
        numbers.extend(column.iter());
    }
    Ok(numbers)
}

fn write_names(
    columns: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    numbers: &[Option<i32>],
    added: &NameColumn,
) -> ParquetResult<()> {
    let names: BTreeMap<i32, ByteArray> =
        added.names.iter().map(|(number, name)| (*number, ByteArray::from(name.as_str()))).collect();
    let named: Vec<Option<&ByteArray>> = numbers.iter().map(|number| names.get(&(*number)?)).collect();
    let is_there: Vec<i16> = named.iter().map(|name| i16::from(name.is_some())).collect();
    let values: Vec<ByteArray> = named.into_iter().flatten().cloned().collect();
    let Some(mut writer) = columns.next_column()? else {
        return Err(ParquetError::General("there is no column for the names".to_owned()));
    };
    writer.typed::<ByteArrayType>().write_batch(&values, Some(&is_there), None)?;
    writer.close()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::{PartWriter, read_part};
    use arrow::array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray};
    use datafusion::prelude::SessionContext;
    use futures::TryStreamExt;

    /// Two row groups, one of them without any name.
    #[tokio::test]
    async fn names_come_beside_their_numbers_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let prefix = format!("file://{}/", folder.path().display());
        let rows = 200_000;
        let ids: StringArray = (0..rows).map(|i| Some(format!("customer {i}"))).collect();
        let values: Float64Array = (0..rows).map(|i| (i % 7 != 0).then_some(f64::from(i) / 3.0)).collect();
        let numbers: Int32Array = (0..rows).map(|i| if i < 140_000 { Some(i % 3 - 1) } else { Some(-1) }).collect();
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("id", Arc::new(ids) as ArrayRef, false),
            ("cluster", Arc::new(numbers) as ArrayRef, false),
            ("value", Arc::new(values) as ArrayRef, true),
        ])
        .unwrap();
        let context = SessionContext::new();
        let (task, runtime) = (context.task_ctx(), context.runtime_env());
        let mut writer = PartWriter::create(&runtime, &format!("{prefix}before/"), 3, batch.schema()).unwrap();
        writer.write(&batch).await.unwrap();
        let before = writer.finish().await.unwrap();
        let names = BTreeMap::from([(0, "VIP".to_owned()), (1, "Regular".to_owned())]);
        let column = NameColumn { of: "cluster".to_owned(), name: "label".to_owned(), names };
        let after = with_names(&task, &before, &format!("{prefix}after/"), &[column]).await.unwrap();
        assert_eq!((after.index, after.rows), (3, before.rows));
        assert!(after.bytes < before.bytes + before.bytes / 16, "{} {}", before.bytes, after.bytes);

        let read = async |columns: &[&str]| {
            let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
            let batches: Vec<RecordBatch> =
                read_part(&runtime, &after, Some(&columns)).await.unwrap().try_collect().await.unwrap();
            arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap()
        };
        assert_eq!(read(&["id", "cluster", "value"]).await, batch);
        let all = read(&["id", "cluster", "label", "value"]).await;
        let order: Vec<&String> = all.schema_ref().fields().iter().map(|field| field.name()).collect();
        assert_eq!(order, ["id", "cluster", "label", "value"]);
        let labels: Vec<Option<&str>> = all.column(2).as_string::<i32>().iter().collect();
        for (i, label) in labels.into_iter().enumerate() {
            let expected = if i < 140_000 { [None, Some("VIP"), Some("Regular")][i % 3] } else { None };
            assert_eq!(label, expected, "row {i}");
        }
    }
}
