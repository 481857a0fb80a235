//! [`WholeRanges`]: a range of an object is all of it, or an error.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetRange, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

/// When a range goes beyond the end of an object, stores return what there is of it. Readers ask by the size that a
/// listing gave, and one that gets less than it asked for may panic (parquet 59 does). Here it gets an error that says
/// what happened.
#[derive(Debug)]
pub(super) struct WholeRanges<T>(pub(super) T);

impl<T: fmt::Display> fmt::Display for WholeRanges<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn shorter(location: &Path, wanted: &Range<u64>) -> object_store::Error {
    object_store::Error::Precondition {
        path: location.to_string(),
        source: format!("it ends before byte {}: it was replaced while the job read it", wanted.end).into(),
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<T: ObjectStore> ObjectStore for WholeRanges<T> {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let wanted = match &options.range {
            Some(GetRange::Bounded(range)) => Some(range.clone()),
            _ => None,
        };
        let result = self.0.get_opts(location, options).await?;
        match wanted {
            Some(wanted) if result.range != wanted => Err(shorter(location, &wanted)),
            _ => Ok(result),
        }
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let found = self.0.get_ranges(location, ranges).await?;
        let is_short = |(range, bytes): &(&Range<u64>, &Bytes)| bytes.len() as u64 != range.end - range.start;
        match ranges.iter().zip(&found).find(is_short) {
            Some((range, _)) => Err(shorter(location, range)),
            None => Ok(found),
        }
    }

    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.0.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.0.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.0.rename_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    #[tokio::test]
    async fn less_than_was_asked_for_is_an_error() {
        let store = WholeRanges(InMemory::new());
        let path = Path::from("a/part.parquet");
        store.put(&path, "0123456789".into()).await.unwrap();
        assert_eq!(store.get_range(&path, 2..10).await.unwrap(), "23456789");
        assert_eq!(store.get_ranges(&path, &[0..1, 9..10]).await.unwrap().len(), 2);
        let errors = [
            store.get_range(&path, 2..11).await.unwrap_err(),
            store.get_ranges(&path, &[0..1, 8..12]).await.unwrap_err(),
        ];
        for error in errors {
            let text = error.to_string();
            assert!(text.contains("a/part.parquet") && text.contains("was replaced"), "{text}");
        }
    }
}
