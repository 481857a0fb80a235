//! The job of a load test: a spec with placeholders for its data and its output.

use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use segmenta_engine::EngineError;
use segmenta_loadtest::generate::Schema;
use segmenta_pipeline::job::Job;

/// The first half of the built-in spec, where a row of the data is a customer.
const OF_FEATURES: &str = "\
name: load-test
source:
  tables: {customers: \"${data}/*.parquet\"}
  id: customer_id
  features: [recency, frequency, monetary]
";

/// The same, where a row of the data is an order.
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

/// The second half: the stages that are worth measuring.
const STAGES: &str = "\
kmeans: {k: {from: 2, to: 8}, select: elbow, seed: 7}
hierarchy: {linkage: ward, clusters: 4}
hdbscan: {min_cluster_size: auto}
output: \"${output}\"
";

/// What a spec has places for, and what is put in there.
const PLACES: [(&str, &str); 2] = [("data", "the folder of the generated data"), ("output", "the output")];

/// A spec with places to fill in: `${data}`, `${output}` and, where it wants that, `${rows}`.
pub(crate) struct Template {
    pub(crate) text: String,
    origin: String,
}

/// Specs are neither HTML nor JSON: what is put in is put in as it is. A place that is not known is a mistake.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    // Never fails for these: they are different, and not empty.
    let syntax = SyntaxConfig::builder().variable_delimiters("${", "}").keep_trailing_newline(true).build();
    if let Ok(syntax) = syntax {
        environment.set_syntax(syntax);
    }
    environment
}

impl Template {
    /// The template in a file, or the built-in one.
    ///
    /// # Errors
    /// A file that cannot be read, lacks a placeholder, or has another mistake.
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
        let environment = environment();
        let parsed = environment.template_from_named_str(&template.origin, &template.text);
        let places = parsed.map_err(|error| template.wrong(&error))?.undeclared_variables(false);
        for (place, what) in PLACES {
            if !places.contains(place) {
                let origin = &template.origin;
                return Err(EngineError::spec(format!("{origin}: has no ${{{place}}}, where {what} is put in")));
            }
        }
        template.sources("file:///data", "file:///output", 1)?;
        Ok(template)
    }

    fn wrong(&self, error: &minijinja::Error) -> EngineError {
        let (origin, line) = (&self.origin, error.line().unwrap_or(1));
        let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        EngineError::spec(format!(
            "{origin}:{line}: {what}; a spec has places for ${{data}}, ${{output}} and ${{rows}}"
        ))
    }

    /// The spec over data and to an output, URLs without a `/` at their end. [`Template::new`] has seen that it can be filled.
    pub(crate) fn fill(&self, data: &str, output: &str, rows: u64) -> String {
        self.filled(data, output, rows).unwrap_or_default()
    }

    fn filled(&self, data: &str, output: &str, rows: u64) -> Result<String, EngineError> {
        let places = context! { data, output, rows };
        environment().render_named_str(&self.origin, &self.text, places).map_err(|error| self.wrong(&error))
    }

    /// The locations that the job reads from.
    ///
    /// # Errors
    /// Every mistake in the spec; a location that is not a URL, as the processes of a cluster have no common folder
    /// that a relative path could start from.
    pub(crate) fn sources(&self, data: &str, output: &str, rows: u64) -> Result<Vec<String>, EngineError> {
        let job = Job::parse(&self.filled(data, output, rows)?, &self.origin, "")?;
        let not_urls = |error: EngineError| {
            EngineError::spec(format!(
                "{}: {error}; a load test's spec has only URLs, ${{data}} and ${{output}}",
                self.origin
            ))
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
            (source("b/*.parquet") + "output: ${output}\n", "only URLs, ${data} and ${output}"),
            (source("s3://lake/b/*.parquet") + "sauce: 1\noutput: ${output}\n", "sauce"),
            (source("${dta}/*.parquet") + "output: ${output}\n", ":3: "),
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
