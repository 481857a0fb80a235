//! Tables that are more than the Parquet files in their folder. They are recognised by their metadata files.
//!
//! A Delta, Iceberg or Hudi table says in its log which of its files are current, and which rows of them are deleted.
//! Read as loose Parquet, rewritten rows would count twice and deleted ones would come back. So files of such a table
//! are refused, whether the location names the table, a folder or a file within it, or a folder around it.
//!
//! ```text
//!   orders/_delta_log/…                            Delta Lake
//!   orders/metadata/00000-….metadata.json          Apache Iceberg
//!   orders/.hoodie/…                               Apache Hudi
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use futures::StreamExt;
use object_store::path::{Path as ObjectPath, PathPart};
use object_store::{ObjectMeta, ObjectStore};
use url::{Position, Url};

/// What is found at a location.
pub(super) struct Listing {
    /// Files to read, with their URLs.
    pub(super) files: Vec<(String, ObjectMeta)>,
    /// Tables of other formats below the location.
    pub(super) tables: Vec<LakeTable>,
    /// The store, and the place in it that was searched.
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) root: ObjectPath,
    /// A URL of the same store.
    pub(super) url: String,
}

/// A kind of table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LakeFormat {
    Delta,
    Iceberg,
    Hudi,
}

impl LakeFormat {
    /// The folder within the table that holds its metadata.
    fn books(self) -> &'static str {
        match self {
            Self::Delta => "_delta_log",
            Self::Iceberg => "metadata",
            Self::Hudi => ".hoodie",
        }
    }

    /// How to get a snapshot of such a table as plain Parquet.
    fn snapshot(self) -> &'static str {
        match self {
            Self::Delta => {
                "with DuckDB: COPY (SELECT * FROM delta_scan('TABLE')) TO 'orders.parquet', or with Spark: \
                 spark.read.format(\"delta\").load(\"TABLE\").write.parquet(\"orders\")"
            }
            Self::Iceberg => {
                "with DuckDB: COPY (SELECT * FROM iceberg_scan('TABLE')) TO 'orders.parquet', or with Spark: \
                 spark.read.format(\"iceberg\").load(\"TABLE\").write.parquet(\"orders\")"
            }
            Self::Hudi => "with Spark: spark.read.format(\"hudi\").load(\"TABLE\").write.parquet(\"orders\")",
        }
    }
}

impl fmt::Display for LakeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Delta => "Delta",
            Self::Iceberg => "Iceberg",
            Self::Hudi => "Hudi",
        })
    }
}

/// A table, and where in its store it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LakeTable {
    format: LakeFormat,
    root: ObjectPath,
}

impl LakeTable {
    /// Why it is not read, and what to do instead.
    pub(super) fn refusal(&self, store: &str) -> String {
        let (format, root) = (self.format, format!("{store}{}", self.root));
        format!(
            "{root}: this is {article} {format} table (it has a folder {books}/), and its files alone do not say which rows \
             are in force: replaced rows would count twice, and deleted ones would come back. Write a snapshot of it and read \
             that, {snapshot}",
            article = if format == LakeFormat::Iceberg { "an" } else { "a" },
            books = format.books(),
            snapshot = format.snapshot().replace("TABLE", &root),
        )
    }
}

/// The table whose metadata folder an object belongs to.
pub(super) fn sign(object: &ObjectPath) -> Option<LakeTable> {
    let parts: Vec<PathPart<'_>> = object.parts().collect();
    let table = |format, depth: usize| Some(LakeTable { format, root: parts[..depth].iter().cloned().collect() });
    for (depth, part) in parts.iter().enumerate().take(parts.len().saturating_sub(1)) {
        match part.as_ref() {
            name if name == LakeFormat::Delta.books() => return table(LakeFormat::Delta, depth),
            name if name == LakeFormat::Hudi.books() => return table(LakeFormat::Hudi, depth),
            _ => {}
        }
    }
    let [.., folder, file] = parts.as_slice() else { return None };
    // Compressed metadata files end in `.gz.metadata.json`, or in earlier versions in `.metadata.json.gz`.
    let name = file.as_ref().trim_end_matches(".gz");
    if folder.as_ref() == LakeFormat::Iceberg.books() && name.ends_with(".metadata.json") {
        return table(LakeFormat::Iceberg, parts.len() - 2);
    }
    None
}

/// Why files of these listings may not be read: one message for each table that has one of them.
pub(super) async fn refusals(listings: &[Listing]) -> Vec<String> {
    // Grouped by store, since a table may be read from several places in it.
    let mut stores: BTreeMap<String, (Arc<dyn ObjectStore>, Found<'_>)> = BTreeMap::new();
    for listing in listings {
        let Ok(url) = Url::parse(&listing.url) else { continue };
        let store = format!("{}/", &url[..Position::BeforePath]);
        let (_, found) = stores.entry(store).or_insert_with(|| (Arc::clone(&listing.store), Found::default()));
        found.files.extend(listing.files.iter().map(|(_, meta)| meta));
        found.tables.extend(listing.tables.iter().cloned());
        let parts: Vec<PathPart<'_>> = listing.root.parts().collect();
        found.above.extend((0..=parts.len()).map(|depth| parts[..depth].iter().cloned().collect::<ObjectPath>()));
    }
    let mut refusals = Vec::new();
    for (url, (store, mut found)) in stores {
        for folder in &found.above {
            found.tables.extend(table_at(&store, folder).await);
        }
        let of_a_file = found.tables.iter().filter(|table| {
            found.files.is_empty() || found.files.iter().any(|file| file.location.prefix_matches(&table.root))
        });
        refusals.extend(of_a_file.map(|table| table.refusal(&url)));
    }
    refusals
}

#[derive(Default)]
struct Found<'a> {
    files: Vec<&'a ObjectMeta>,
    tables: BTreeSet<LakeTable>,
    /// The folders that were searched, and all folders around them.
    above: BTreeSet<ObjectPath>,
}

/// The table that a folder is, judged by what is directly in it. A store that denies access or cannot list tells
/// nothing; access is often given to one folder alone.
async fn table_at(store: &Arc<dyn ObjectStore>, folder: &ObjectPath) -> Option<LakeTable> {
    for format in [LakeFormat::Delta, LakeFormat::Hudi] {
        let books = folder.clone().join(format.books());
        if let Some(Ok(_)) = store.list(Some(&books)).next().await {
            return Some(LakeTable { format, root: folder.clone() });
        }
    }
    let books = folder.clone().join(LakeFormat::Iceberg.books());
    let within = store.list_with_delimiter(Some(&books)).await.ok()?;
    within.objects.iter().find_map(|object| sign(&object.location))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_books_tell_the_table() {
        let sign = |path: &str| sign(&path.into()).map(|table| (table.format, table.root.to_string()));
        assert_eq!(sign("lake/orders/_delta_log/0.json"), Some((LakeFormat::Delta, "lake/orders".to_owned())));
        assert_eq!(sign("orders/.hoodie/hoodie.properties"), Some((LakeFormat::Hudi, "orders".to_owned())));
        for file in ["v3.metadata.json", "00001-a.metadata.json", "2.gz.metadata.json", "v1.metadata.json.gz"] {
            let path = format!("lake/orders/metadata/{file}");
            assert_eq!(sign(&path), Some((LakeFormat::Iceberg, "lake/orders".to_owned())), "{path}");
        }
        for path in ["orders/part-0.parquet", "orders/metadata/readme.json", "orders/_delta_log", "metadata.json"] {
            assert_eq!(sign(path), None, "{path}");
        }
    }
}
