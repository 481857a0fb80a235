//! Artifacts: the Parquet parts that a stage writes and the next one reads.
//!
//! A part is one file with the rows of one slice of the space of row ids, sorted by (row id, id columns). The slices
//! depend on the data alone, so a part's content does not depend on the cluster that wrote it. A part is named by its
//! index and known by its checksum.
//!
//! ```text
//!   <prefix>/part-00000.parquet   row ids [0, 1/P)
//!   <prefix>/part-00001.parquet   row ids [1/P, 2/P)        a slice without rows has no part
//! ```

mod extend;
mod points;

use std::collections::BTreeMap;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use datafusion::common::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt, TryFutureExt};
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::arrow::async_writer::{AsyncArrowWriter, AsyncFileWriter};
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::basic::{Compression, Type, ZstdLevel};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::WriterProperties;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use url::Url;

pub use self::extend::{NameColumn, with_names};
pub(crate) use self::points::decode_points;
pub use self::points::{Points, append_rows, load_points, points_once, row_ids};
use crate::error::{EngineError, Result, foresee};

/// The column of weights in prepared points, where rows have them, and of HDBSCAN's points.
pub const WEIGHT_COLUMN: &str = "__weight";

/// The column of row ids in every artifact.
pub const ROW_COLUMN: &str = "__row";

/// The folder below a job's output that its stages write to.
pub const WORK_FOLDER: &str = "_work/";

/// Rows of a row group, and of the batches that are read.
const ROW_GROUP_ROWS: usize = 131_072;
const BATCH_ROWS: usize = 8_192;

/// One file of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which slice of the row ids it holds.
    pub index: u32,
    /// Where it is.
    pub url: String,
    /// Its rows.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

impl Part {
    /// The job whose stage wrote the part, by its work folder, and the stage; `None` for what no stage wrote.
    #[must_use]
    pub fn origin(&self) -> Option<(&str, &str)> {
        let work = self.url.find(&format!("/{WORK_FOLDER}"))? + 1 + WORK_FOLDER.len();
        let (job, rest) = self.url.split_at(work);
        rest.split_once('/').map(|(stage, _)| (job, stage))
    }
}

/// The URL of part `index` under `prefix` (a URL that ends in `/`).
#[must_use]
pub fn part_url(prefix: &str, index: u32) -> String {
    format!("{prefix}part-{index:05}.parquet")
}

/// Which of `parts` slices a row id falls into: slices are contiguous and of equal width.
#[must_use]
pub fn part_of(row: u64, parts: u32) -> u32 {
    ((u128::from(row) * u128::from(parts)) >> 64) as u32
}

/// The store and the path that a URL points to.
///
/// # Errors
/// A URL that cannot be parsed, or a scheme without a store.
pub fn resolve(runtime: &RuntimeEnv, url: &str) -> Result<(Arc<dyn ObjectStore>, Path)> {
    let parsed = Url::parse(url).map_err(|error| EngineError::spec(format!("{url}: not a URL: {error}")))?;
    let store = runtime.object_store_registry.get_store(&parsed).map_err(|error| match error {
        DataFusionError::Configuration(message) => EngineError::spec(message),
        error => error.into(),
    })?;
    let path = Path::from_url_path(parsed.path())
        .map_err(|error| EngineError::spec(format!("{url}: not a path in an object store: {error}")))?;
    Ok((store, path))
}

/// Counts and hashes what passes through to the object store.
struct HashingWriter {
    inner: BufWriter,
    hash: Sha256,
    bytes: u64,
}

impl HashingWriter {
    fn create(runtime: &RuntimeEnv, url: &str) -> Result<Self> {
        let (store, path) = resolve(runtime, url)?;
        Ok(Self { inner: BufWriter::new(store, path), hash: Sha256::new(), bytes: 0 })
    }

    /// The part whose file went through, complete.
    fn into_part(self, index: u32, url: String, rows: u64) -> Part {
        Part { index, url, rows, bytes: self.bytes, sha256: hex(&self.hash.finalize()) }
    }
}

impl AsyncFileWriter for HashingWriter {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, ParquetResult<()>> {
        async move {
            self.hash.update(&bytes);
            self.bytes += bytes.len() as u64;
            self.inner.write_all(&bytes).await?;
            Ok(())
        }
        .boxed()
    }

    fn complete(&mut self) -> BoxFuture<'_, ParquetResult<()>> {
        async move {
            self.inner.shutdown().await?;
            Ok(())
        }
        .boxed()
    }
}

/// Writes one part. The file appears whole when it is finished, or not at all.
pub struct PartWriter {
    index: u32,
    url: String,
    rows: u64,
    writer: AsyncArrowWriter<HashingWriter>,
}

impl PartWriter {
    /// Starts part `index` under `prefix`. Holds one row group (131,072 rows) encoded, and an upload buffer of 10 MiB.
    ///
    /// # Errors
    /// A place that cannot be written to.
    pub fn create(runtime: &RuntimeEnv, prefix: &str, index: u32, schema: SchemaRef) -> Result<Self> {
        let url = part_url(prefix, index);
        let inner = HashingWriter::create(runtime, &url)?;
        let options = ArrowWriterOptions::new().with_properties(properties());
        let writer =
            AsyncArrowWriter::try_new_with_options(inner, schema, options).map_err(|error| unwritable(&url, &error))?;
        Ok(Self { index, url, rows: 0, writer })
    }

    /// Appends a batch.
    ///
    /// # Errors
    /// A place that cannot be written to, for example a full disk.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch).await.map_err(|error| unwritable(&self.url, &error))
    }

    /// Completes the file.
    ///
    /// # Errors
    /// As [`PartWriter::write`].
    pub async fn finish(mut self) -> Result<Part> {
        self.writer.finish().await.map_err(|error| unwritable(&self.url, &error))?;
        Ok(self.writer.into_inner().into_part(self.index, self.url, self.rows))
    }
}

/// How parts are encoded.
fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap_or_default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_created_by("segmenta".to_owned())
        .build()
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unwritable(url: &str, error: &dyn std::fmt::Display) -> EngineError {
    EngineError::output(format!(
        "{url}: cannot be written: {error}; check that the output exists, is writable and has room"
    ))
}

fn unreadable(part: &Part, error: &dyn std::fmt::Display) -> EngineError {
    EngineError::input(format!(
        "{}: cannot be read: {error}; run the job again (--fresh, where it does not notice) to make it anew",
        part.url
    ))
}

/// Reads ranges of one object, whose size is known, for the Parquet decoder.
struct PartReader {
    store: Arc<dyn ObjectStore>,
    path: Path,
    bytes: u64,
}

impl AsyncFileReader for PartReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        self.store.get_range(&self.path, range).map_err(|error| ParquetError::External(Box::new(error))).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        async move {
            let ranges = self.store.get_ranges(&self.path, &ranges).await;
            ranges.map_err(|error| ParquetError::External(Box::new(error)))
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move {
            let bytes = self.bytes;
            let reader = ParquetMetaDataReader::new().with_arrow_reader_options(options);
            Ok(Arc::new(reader.load_and_finish(self, bytes).await?))
        }
        .boxed()
    }
}

/// Whether the bytes of a column chunk are within a file of so many. What reads them panics where they begin before it.
fn lies_within(chunk: &ColumnChunkMetaData, bytes: u64) -> bool {
    let start = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
    let end = start.checked_add(chunk.compressed_size());
    let is_sound = start >= 0 && chunk.data_page_offset() >= 0 && chunk.compressed_size() >= 0;
    is_sound && end.is_some_and(|end| end as u64 <= bytes)
}

/// What readers need to know of a file of `bytes` bytes, once its footer has been checked: decoders panic over offsets
/// that lead out of the file, and over Arrow types that they do not know.
fn checked(metadata: Arc<ParquetMetaData>, bytes: u64) -> ParquetResult<ArrowReaderMetadata> {
    let mut chunks = metadata.row_groups().iter().flat_map(|group| group.columns());
    if let Some(chunk) = chunks.find(|chunk| !lies_within(chunk, bytes)) {
        let column = chunk.column_path().string();
        return Err(ParquetError::General(format!(
            "its footer is damaged: the bytes of {column} lie outside of the file"
        )));
    }
    foresee(|| ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::new()))
        .unwrap_or_else(|panic| Err(ParquetError::General(format!("its Arrow schema is damaged: {panic}"))))
}

/// Reads the footer of a file.
async fn open(
    runtime: &RuntimeEnv,
    url: &str,
    bytes: u64,
) -> Result<ParquetResult<ParquetRecordBatchStreamBuilder<PartReader>>> {
    let (store, path) = resolve(runtime, url)?;
    let mut reader = PartReader { store, path, bytes };
    let metadata = reader.get_metadata(None).await.and_then(|metadata| checked(metadata, bytes));
    Ok(metadata.map(|metadata| ParquetRecordBatchStreamBuilder::new_with_metadata(reader, metadata)))
}

/// Decodes a whole file and drops what it holds. The inner result says whether the file is sound.
///
/// # Errors
/// A URL without a store.
pub async fn read_through(runtime: &RuntimeEnv, url: &str, bytes: u64) -> Result<ParquetResult<()>> {
    let builder = match open(runtime, url, bytes).await? {
        Ok(builder) => builder,
        Err(error) => return Ok(Err(error)),
    };
    let mut stream = match builder.with_batch_size(BATCH_ROWS).build() {
        Ok(stream) => stream,
        Err(error) => return Ok(Err(error)),
    };
    while let Some(batch) = stream.next().await {
        if let Err(error) = batch {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

/// A stream of batches.
pub type Batches = Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>>;

/// Reads a part in batches of 8,192 rows; all columns, or those named.
///
/// # Errors
/// A part that is gone or damaged, or a column that it does not have.
pub async fn read_part(runtime: &RuntimeEnv, part: &Part, columns: Option<&[String]>) -> Result<Batches> {
    let mut builder = open(runtime, &part.url, part.bytes).await?.map_err(|error| unreadable(part, &error))?;
    if let Some(columns) = columns {
        let mut roots = Vec::with_capacity(columns.len());
        for column in columns {
            let index = builder.schema().index_of(column).map_err(|error| unreadable(part, &error))?;
            roots.push(index);
        }
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        builder = builder.with_projection(mask);
    }
    let stream = builder.with_batch_size(BATCH_ROWS).build().map_err(|error| unreadable(part, &error))?;
    let part = part.clone();
    Ok(stream.map(move |batch| batch.map_err(|error| unreadable(&part, &error))).boxed())
}

/// The schema of a part, read from its footer.
///
/// # Errors
/// A part that is gone or damaged.
pub async fn part_schema(runtime: &RuntimeEnv, part: &Part) -> Result<SchemaRef> {
    let builder = open(runtime, &part.url, part.bytes).await?.map_err(|error| unreadable(part, &error))?;
    Ok(Arc::clone(builder.schema()))
}

/// What the footer of a Parquet file says of it.
#[derive(Debug, Clone)]
pub struct Footer {
    /// Its columns.
    pub schema: SchemaRef,
    /// Its rows.
    pub rows: u64,
    /// The columns of texts or bytes that are very long, and how long in the mean, in bytes.
    pub long_columns: Vec<(String, u64)>,
}

/// A row group may have so many bytes of a column however long its values are: a single one costs no more than that.
const LONG_CHUNK: u64 = 16 << 20;
/// Beyond, values of more than so many bytes in the mean are very long.
const LONG_VALUE: u64 = 4 << 10;

/// Reads the footer of any Parquet file of `bytes` bytes.
///
/// # Errors
/// A file that is gone or damaged.
pub async fn read_footer(runtime: &RuntimeEnv, url: &str, bytes: u64) -> Result<Footer> {
    let builder = open(runtime, url, bytes).await?.map_err(|error| EngineError::input(error.to_string()))?;
    let metadata = builder.metadata();
    let mut long_columns = BTreeMap::new();
    for chunk in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        let is_bytes = matches!(chunk.column_type(), Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY);
        let (bytes, values) = (chunk.uncompressed_size().max(0) as u64, chunk.num_values().max(1) as u64);
        if is_bytes && bytes > LONG_CHUNK && bytes / values > LONG_VALUE {
            let name = chunk.column_path().parts().first().cloned().unwrap_or_default();
            let longest: &mut u64 = long_columns.entry(name).or_default();
            *longest = (*longest).max(bytes / values);
        }
    }
    Ok(Footer {
        schema: Arc::clone(builder.schema()),
        rows: metadata.file_metadata().num_rows().max(0) as u64,
        long_columns: long_columns.into_iter().collect(),
    })
}

/// Writes a small object whole.
///
/// # Errors
/// A place that cannot be written to.
pub async fn put(runtime: &RuntimeEnv, url: &str, content: impl Into<Bytes> + Send) -> Result<()> {
    let (store, path) = resolve(runtime, url)?;
    store.put(&path, content.into().into()).await.map_err(|error| unwritable(url, &error))?;
    Ok(())
}

/// Writes a small object whole where there is none yet; of many who try, one succeeds. `false` when another object is
/// there. One with the same content counts as this one: an attempt whose answer was lost on the way is made again.
///
/// # Errors
/// A place that cannot be written to.
pub async fn put_new(runtime: &RuntimeEnv, url: &str, content: impl Into<Bytes> + Send) -> Result<bool> {
    let (store, path) = resolve(runtime, url)?;
    let content: Bytes = content.into();
    match store.put_opts(&path, content.clone().into(), PutMode::Create.into()).await {
        Ok(_) => Ok(true),
        Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
            Ok(get(runtime, url).await?.is_some_and(|there| there == content))
        }
        Err(error) => Err(unwritable(url, &error)),
    }
}

/// Reads a small object whole; `None` when there is none.
///
/// # Errors
/// Any failure but that the object is not there.
pub async fn get(runtime: &RuntimeEnv, url: &str) -> Result<Option<Bytes>> {
    let (store, path) = resolve(runtime, url)?;
    let failed = |error: object_store::Error| EngineError::input(format!("{url}: cannot be read: {error}"));
    match store.get(&path).await {
        Ok(result) => Ok(Some(result.bytes().await.map_err(failed)?)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Removes an object, if it is there.
///
/// # Errors
/// A place that cannot be written to.
pub async fn remove(runtime: &RuntimeEnv, url: &str) -> Result<()> {
    let (store, path) = resolve(runtime, url)?;
    match store.delete(&path).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(EngineError::output(format!("{url}: cannot be removed: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Float64Array};

    /// Each byte of a footer in turn is another one: the file is read or refused.
    #[tokio::test]
    async fn damaged_footers_do_not_panic() {
        let runtime = RuntimeEnv::default();
        let folder = tempfile::tempdir().unwrap();
        let prefix = format!("file://{}/", folder.path().display());
        let columns = ["a", "b"].map(|name| (name, Arc::new(Float64Array::from(vec![1.5, 2.5])) as ArrayRef));
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut writer = PartWriter::create(&runtime, &prefix, 0, batch.schema()).unwrap();
        writer.write(&batch).await.unwrap();
        let part = writer.finish().await.unwrap();
        let file = folder.path().join("part-00000.parquet");
        let whole = std::fs::read(&file).unwrap();
        let length = u32::from_le_bytes(whole[whole.len() - 8..whole.len() - 4].try_into().unwrap()) as usize;
        let mut refused = String::new();
        for at in whole.len() - 8 - length..whole.len() - 8 {
            for byte in [0, b'/', 0x7f, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = byte;
                std::fs::write(&file, damaged).unwrap();
                match read_footer(&runtime, &part.url, part.bytes).await {
                    Ok(_) => drop(read_through(&runtime, &part.url, part.bytes).await),
                    Err(error) => refused.push_str(&error.message),
                }
            }
        }
        for why in ["its Arrow schema is damaged", "lie outside of the file"] {
            assert!(refused.contains(why), "{why}");
        }
    }

    #[test]
    fn a_part_comes_from_a_stage() {
        let part = |url: &str| Part { index: 0, url: url.to_owned(), rows: 1, bytes: 1, sha256: String::new() };
        let scaled = part("s3://b/runs/a/_work/scale/f00/part-00000.parquet");
        assert_eq!(scaled.origin(), Some(("s3://b/runs/a/_work/", "scale")));
        assert_eq!(part("s3://b/runs/a/model/points/part-00000.parquet").origin(), None);
    }

    #[test]
    fn slices_are_contiguous_and_cover_everything() {
        assert_eq!(part_of(0, 8), 0);
        assert_eq!(part_of(u64::MAX, 8), 7);
        let mut last = 0;
        for i in 0..1000u64 {
            let part = part_of(i * (u64::MAX / 1000), 7);
            assert!(part >= last && part < 7);
            last = part;
        }
    }
}
