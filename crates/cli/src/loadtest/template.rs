//! The job of a load test: a spec with places for its data and its output.

use std::path::Path;

use segmenta_engine::EngineError;
use segmenta_loadtest::generate::Schema;
use segmenta_pipeline::job::Job;

/// What stands for the folder of the data, the output, and the number of customers.
const DATA: &str = "${data}";
const OUTPUT: &str = "${output}";
const ROWS: &str = "${rows}";

/// The stages that are worth measuring, over generated customers.
const OF_FEATURES: &str = "\
name: load-test
source:
  tables: {customers: \"${data}/*.parquet\"}
  id: customer_id
  features: [recency, frequency, monetary]
";

/// The same over their orders.
const OF_ORDERS: &str = "\
name: load-test
source:
  tables: {orders: \"${data}/*.parquet\"}
  sql: |
    SELECT customer_id, DATE '2026-07-01' - MAX(order_date) AS recency, COUNT(*) AS frequency, SUM(amount) AS monetary
    FROM orders GROUP BY customer_id
  id: customer_id
  features: [recency, frequency, monetary]
";

const STAGES: &str = "\
kmeans: {k: {from: 2, to: 8}, select: elbow, seed: 7}
hierarchy: {linkage: ward, clusters: 4}
hdbscan: {min_cluster_size: auto}
output: \"${output}\"
";

/// A spec with places to fill in.
pub(crate) struct Template {
    pub(crate) text: String,
    origin: String,
}

impl Template {
    /// From a file, or the one that is built in.
    ///
    /// # Errors
    /// A file that cannot be read, lacks a place, or is wrong otherwise.
    pub(crate) fn new(file: Option<&Path>, schema: Schema) -> Result<Self, EngineError> {
        let template = match file {
            Some(file) => {
                let origin = file.display().to_string();
                let text = std::fs::read_to_string(file)
                    .map_err(|error| EngineError::spec(format!("{origin}: cannot be read: {error}")))?;
                Self { text, origin }
            }
            None => {
                let source = if schema == Schema::Features { OF_FEATURES } else { OF_ORDERS };
                Self { text: format!("{source}{STAGES}"), origin: "the built-in spec".to_owned() }
            }
        };
        for (place, what) in [(DATA, "the folder of the generated data"), (OUTPUT, "the output")] {
            if !template.text.contains(place) {
                let origin = &template.origin;
                return Err(EngineError::spec(format!("{origin}: has no {place}, where {what} is put in")));
            }
        }
        template.sources("file:///data", "file:///output", 1)?;
        Ok(template)
    }

    /// The spec over data and to an output, URLs without a `/` at their end.
    pub(crate) fn fill(&self, data: &str, output: &str, rows: u64) -> String {
        self.text.replace(DATA, data).replace(OUTPUT, output).replace(ROWS, &rows.to_string())
    }

    /// Where such a job reads from.
    ///
    /// # Errors
    /// Every mistake of the spec; a location that is no URL, as the processes of a cluster share no folder to start from.
    pub(crate) fn sources(&self, data: &str, output: &str, rows: u64) -> Result<Vec<String>, EngineError> {
        let job = Job::parse(&self.fill(data, output, rows), &self.origin, "")?;
        let not_urls = |error: EngineError| {
            EngineError::spec(format!("{}: {error}; a spec for load tests has URLs and {DATA} alone", self.origin))
        };
        job.output().map_err(not_urls)?;
        job.sources().map_err(not_urls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_specs_are_right() {
        for schema in [Schema::Features, Schema::Orders] {
            let template = Template::new(None, schema).unwrap();
            let sources = template.sources("s3://lake/a", "s3://lake/out", 10).unwrap();
            assert_eq!(sources, ["s3://lake/a/*.parquet"]);
        }
    }

    #[test]
    fn mistakes_are_told() {
        let file = std::env::temp_dir().join(format!("segmenta-template-{}.yaml", std::process::id()));
        let source = |table: &str| {
            format!(
                "name: x\nsource:\n  tables: {{a: \"{table}\", b: \"${{data}}/*.parquet\"}}\n  sql: SELECT 1\n  id: a\n  features: [b]\n"
            )
        };
        for (text, why) in [
            ("name: x\noutput: ${output}\n".to_owned(), "has no ${data}"),
            (source("s3://lake/b/*.parquet"), "has no ${output}"),
            (source("b/*.parquet") + "output: ${output}\n", "URLs and ${data} alone"),
            (source("s3://lake/b/*.parquet") + "sauce: 1\noutput: ${output}\n", "sauce"),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = Template::new(Some(&file), Schema::Features).err().unwrap();
            assert!(error.message.contains(why), "{error}");
        }
        std::fs::write(&file, source("s3://lake/b/*.parquet") + "kmeans: {k: 3}\noutput: ${output} # ${rows}\n")
            .unwrap();
        assert!(Template::new(Some(&file), Schema::Features).unwrap().fill("a", "b", 7).ends_with("output: b # 7\n"));
        std::fs::remove_file(&file).unwrap();
    }
}
