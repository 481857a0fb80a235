//! A shard as a Parquet file, to wherever bytes can be written.

use std::io::Write;
use std::ops::Range;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use super::features::{self, FeatureBatches};
use super::options::{GenerateError, GenerateOptions, Schema};
use super::orders::{self, OrderBatches};
use super::shards::ShardRange;

/// Rows of a Parquet row group.
const ROW_GROUP_ROWS: usize = 131_072;

/// The columns of every shard.
#[must_use]
pub fn schema(of: Schema) -> SchemaRef {
    match of {
        Schema::Features => features::schema(),
        Schema::Orders => orders::schema(),
    }
}

enum Batches {
    Features(Box<FeatureBatches>),
    Orders(Box<OrderBatches>),
}

impl Batches {
    fn new(options: &GenerateOptions, rows: Range<u64>) -> Self {
        match options.schema {
            Schema::Features => Self::Features(Box::new(FeatureBatches::new(options, rows))),
            Schema::Orders => Self::Orders(Box::new(OrderBatches::new(options, rows))),
        }
    }

    fn next(&mut self) -> Option<Result<(RecordBatch, u64), ParquetError>> {
        match self {
            Self::Features(batches) => batches.next(),
            Self::Orders(batches) => batches.next(),
        }
    }
}

/// Writes one shard as a Parquet file (zstd, row groups of 131 072 rows) and returns its number of rows.
///
/// Streams: holds one batch of 8192 rows and the encoded row group in the making. Deterministic: equal options and
/// shard give equal bytes. `on_customers` is called after each batch with the number of customers that are done since.
/// The writer is flushed at the end.
///
/// # Errors
///
/// When an option is out of its range, the shard is not of these options, or `writer` fails. What was written until
/// then is not a readable file.
pub fn write_shard<W: Write + Send>(
    options: &GenerateOptions,
    shard: &ShardRange,
    writer: W,
    on_customers: &mut dyn FnMut(u64),
) -> Result<u64, GenerateError> {
    options.validate()?;
    let Range { start, end } = shard.rows;
    if start > end || end > options.rows {
        return Err(GenerateError::ForeignShard { index: shard.index, start, end, rows: options.rows });
    }
    let failed = |rows: u64| move |cause: ParquetError| GenerateError::Write { index: shard.index, rows, cause };
    let properties = Some(properties(options.schema));
    let mut writer = ArrowWriter::try_new(writer, schema(options.schema), properties).map_err(failed(0))?;
    let mut batches = Batches::new(options, start..end);
    let mut rows = 0;
    while let Some(batch) = batches.next() {
        let (batch, customers) = batch.map_err(failed(rows))?;
        writer.write(&batch).map_err(failed(rows))?;
        rows += batch.num_rows() as u64;
        on_customers(customers);
    }
    writer.close().map_err(failed(rows))?;
    Ok(rows)
}

/// Ids and spend hardly repeat, so a dictionary of them would be built only to be thrown away.
fn properties(schema: Schema) -> WriterProperties {
    let hardly_repeat: &[&str] = match schema {
        Schema::Features => &["customer_id", "monetary"],
        Schema::Orders => &["order_id"],
    };
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
    for column in hardly_repeat {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(*column), false);
    }
    properties.build()
}

#[cfg(test)]
mod tests {
    use std::io;

    use arrow::compute::concat_batches;
    use parquet::arrow::arrow_reader::{ArrowReaderBuilder, ParquetRecordBatchReaderBuilder};

    use super::super::shards;
    use super::*;

    /// Writes all shards to memory and reads their rows back, in order.
    fn round_trip(options: &GenerateOptions) -> RecordBatch {
        let mut batches = Vec::new();
        for shard in shards(options).unwrap() {
            let mut file = Vec::new();
            let mut seen = 0;
            let written = write_shard(options, &shard, &mut file, &mut |n| seen += n).unwrap();
            assert_eq!(seen, shard.rows.end - shard.rows.start);
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(file)).unwrap();
            assert_eq!(ArrowReaderBuilder::schema(&reader).fields(), schema(options.schema).fields());
            assert_eq!(reader.metadata().file_metadata().num_rows() as u64, written);
            for group in reader.metadata().row_groups() {
                assert!(group.num_rows() <= ROW_GROUP_ROWS as i64);
            }
            batches.extend(reader.build().unwrap().map(Result::unwrap));
        }
        concat_batches(&schema(options.schema), &batches).unwrap()
    }

    #[test]
    fn rows_do_not_depend_on_the_shards() {
        for schema in [Schema::Features, Schema::Orders] {
            let one = GenerateOptions { schema, rows: 3_001, shards: 1, ..GenerateOptions::default() };
            let rows = round_trip(&one);
            assert!(schema == Schema::Orders || rows.num_rows() == 3_001);
            for (shards, shard_skew) in [(7, 0.0), (5, 1.5)] {
                assert_eq!(rows, round_trip(&GenerateOptions { shards, shard_skew, ..one.clone() }));
            }
        }
    }

    #[test]
    fn equal_options_give_equal_bytes() {
        let options = GenerateOptions { rows: 10_000, shards: 2, ..GenerateOptions::default() };
        let file = |options: &GenerateOptions| {
            let mut file = Vec::new();
            write_shard(options, &shards(options).unwrap()[1], &mut file, &mut |_| {}).unwrap();
            file
        };
        assert_eq!(file(&options), file(&options));
        assert_ne!(file(&options), file(&GenerateOptions { seed: 8, ..options.clone() }));
    }

    #[test]
    fn a_shard_of_other_options_is_refused() {
        let options = GenerateOptions { rows: 10, shards: 2, ..GenerateOptions::default() };
        let foreign = ShardRange { index: 3, rows: 5..11, schema: Schema::Features };
        let error = write_shard(&options, &foreign, io::sink(), &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("rows 5..11 but there are 10"), "{error}");
    }

    #[test]
    fn a_full_disk_is_an_error() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::Error::new(io::ErrorKind::StorageFull, "no space left"))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let options = GenerateOptions { rows: 10, shards: 1, ..GenerateOptions::default() };
        let error = write_shard(&options, &shards(&options).unwrap()[0], Full, &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("no space left"), "{error}");
    }
}
