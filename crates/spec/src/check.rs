//! Checks a document against the JSON Schema of its type, and reads it as that type.
//!
//! ```text
//!   types of document.rs ──schemars──▶ schema ──┐
//!   YAML ──marked-yaml──▶ nodes with lines ─────┴─▶ mistakes, each with its key and line
//!                                                └─▶ what is right, as JSON ──serde──▶ the types
//! ```
//!
//! A value that is wrong is told and left out, so that what depends on the others is checked as well, and all mistakes
//! of a document are told at once. Of JSON Schema this knows what schemars makes of the types there: `type`, `enum`,
//! `const`, `oneOf` of those, `anyOf` of at most one mapping, one list and scalars, limits, `required`, and editors'
//! `errorMessage`.

use std::sync::LazyLock;

use marked_yaml::Node;
use marked_yaml::types::MarkedMappingNode;
use schemars::generate::SchemaSettings;
use schemars::transform::transform_subschemas;
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value, json};

use crate::document::{JobDocument, ScoreDocument};
use crate::reader::{Errors, elsewhere, nearest, text};

/// The JSON Schema of every document: one that segments, or one that scores, which has a key `model`.
#[must_use]
pub fn schema() -> Value {
    let (job, score) = (JobDocument::schema(), ScoreDocument::schema());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Segmenta job spec",
        "type": "object",
        "if": {"required": ["model"]},
        "then": score,
        "else": job,
    })
}

/// A whole document.
pub(crate) trait Document: JsonSchema + DeserializeOwned + Default {
    /// Its schema.
    fn schema() -> &'static Value;
}

impl Document for JobDocument {
    fn schema() -> &'static Value {
        static SCHEMA: LazyLock<Value> = LazyLock::new(schema_of::<JobDocument>);
        &SCHEMA
    }
}

impl Document for ScoreDocument {
    fn schema() -> &'static Value {
        static SCHEMA: LazyLock<Value> = LazyLock::new(schema_of::<ScoreDocument>);
        &SCHEMA
    }
}

/// The schema of a type, without references and without `null`: a key is there or not.
fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.meta_schema = None;
        settings.inline_subschemas = true;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    without_null(&mut schema);
    schema.to_value()
}

fn without_null(schema: &mut Schema) {
    transform_subschemas(&mut without_null, schema);
    let Some(keywords) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = keywords.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            keywords.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(kinds)) = keywords.get_mut("anyOf") {
        kinds.retain(|kind| kind["type"] != "null");
        if let [Value::Object(only)] = kinds.as_slice() {
            let only = only.clone();
            keywords.remove("anyOf");
            // What is said of the key comes before what is said of its type.
            only.into_iter().for_each(|(keyword, value)| {
                keywords.entry(keyword).or_insert(value);
            });
        }
    }
    // How wide a number is kept is of no interest to whoever writes it.
    if keywords.get("type").is_some_and(|kind| kind == "integer" || kind == "number") {
        keywords.remove("format");
    }
}

/// Reads the mapping that is a whole document. Mistakes are added to `errors`.
pub(crate) fn read<T: Document>(errors: &Errors<'_>, root: &MarkedMappingNode) -> T {
    let mut path = Vec::new();
    let value = Checker { errors }.mapping(root, T::schema(), &mut path);
    // What is left fits the schema; where a type asks for more than its schema says, this tells it.
    serde_json::from_value(value).unwrap_or_else(|error| {
        errors.add(root.span(), "", error.to_string());
        T::default()
    })
}

struct Checker<'a> {
    errors: &'a Errors<'a>,
}

impl Checker<'_> {
    /// What a node says, where it fits the schema.
    fn node(&self, node: &Node, schema: &Value, path: &mut Vec<String>) -> Option<Value> {
        if let (Node::Mapping(mapping), Some(schema)) = (node, branch(schema, "object"))
            && !(mapping.is_empty() && schema["minProperties"] == 1)
        {
            return Some(self.mapping(mapping, schema, path));
        }
        let read = plain(node, schema);
        if read.is_none() {
            self.errors.add(node.span(), path.join("."), expectation(node, schema));
        }
        read
    }

    fn mapping(&self, mapping: &MarkedMappingNode, schema: &Value, path: &mut Vec<String>) -> Value {
        let mut read = Map::new();
        let empty = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&empty);
        for (key, node) in mapping.iter() {
            path.push(key.as_str().to_owned());
            let others = schema.get("additionalProperties").filter(|others| others.is_object());
            match properties.get(key.as_str()).or(others) {
                Some(schema) => {
                    if let Some(value) = self.node(node, schema, path) {
                        read.insert(key.as_str().to_owned(), value);
                    }
                }
                None => self.errors.add(key.span(), path.join("."), unknown(key.as_str(), properties)),
            }
            path.pop();
        }
        for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if mapping.get_node(key).is_none() {
                path.push(key.to_owned());
                let what = in_a_clause(properties[key]["description"].as_str().unwrap_or_default());
                self.errors.add(mapping.span(), path.join("."), format!("is missing: {what}"));
                path.pop();
            }
        }
        Value::Object(read)
    }
}

/// The schema of a type of node, among those that a schema allows.
fn branch<'a>(schema: &'a Value, kind: &str) -> Option<&'a Value> {
    if schema["type"] == kind {
        return Some(schema);
    }
    schema["anyOf"].as_array()?.iter().find(|branch| branch["type"] == kind)
}

/// What a scalar or a list says, where it fits the schema.
fn plain(node: &Node, schema: &Value) -> Option<Value> {
    if let Some(branches) = schema["anyOf"].as_array() {
        return branches.iter().find_map(|branch| plain(node, branch));
    }
    if let Some(choices) = choices(schema) {
        let chosen = node.as_scalar()?.as_str();
        return choices.contains(&chosen).then(|| chosen.into());
    }
    match schema["type"].as_str()? {
        "string" => text(node).map(Value::from),
        "boolean" => node.as_scalar()?.as_str().parse::<bool>().ok().map(Value::from),
        "integer" => {
            let value = integer(node)?;
            let limit = |keyword: &str| schema[keyword].as_f64();
            let is_within = limit("minimum").is_none_or(|least| value as f64 >= least)
                && limit("maximum").is_none_or(|most| value as f64 <= most);
            is_within.then(|| value.into())
        }
        "number" => {
            let value = number(node)?;
            let limit = |keyword: &str| schema[keyword].as_f64();
            let is_within = limit("minimum").is_none_or(|least| value >= least)
                && limit("exclusiveMinimum").is_none_or(|least| value > least)
                && limit("maximum").is_none_or(|most| value <= most)
                && limit("exclusiveMaximum").is_none_or(|most| value < most);
            is_within.then(|| Number::from_f64(value).map(Value::Number)).flatten()
        }
        "array" => {
            let items = node.as_sequence()?;
            if schema["minItems"].as_u64().is_some_and(|least| (items.len() as u64) < least) {
                return None;
            }
            items.iter().map(|item| plain(item, &schema["items"])).collect()
        }
        _ => None,
    }
}

/// The words that a schema allows, where it allows no others.
fn choices(schema: &Value) -> Option<Vec<&str>> {
    if let Some(word) = schema["const"].as_str() {
        return Some(vec![word]);
    }
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(Value::as_str).collect();
    }
    let branches = schema["oneOf"].as_array()?;
    Some(branches.iter().filter_map(choices).flatten().collect())
}

/// What is wrong with a node that does not fit.
fn expectation(node: &Node, schema: &Value) -> String {
    if let Some(message) = schema["errorMessage"].as_str() {
        return message.to_owned();
    }
    if let Some(branches) = schema["anyOf"].as_array() {
        // A section or its method alone: the method is what a scalar tries to be.
        return match branches.iter().find(|branch| node.as_scalar().is_some() == choices(branch).is_some()) {
            Some(branch) => expectation(node, branch),
            None => "has none of the forms that it may have".to_owned(),
        };
    }
    if let Some(words) = choices(schema) {
        let typed = node.as_scalar().map_or("", |scalar| scalar.as_str());
        let near = nearest(typed, &words).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return format!("must be one of {}{near}", words.join(", "));
    }
    let limit = |keyword: &str| schema.get(keyword).map(ToString::to_string);
    match schema["type"].as_str() {
        Some("object") => "must be a mapping of keys; `{}` has the defaults".to_owned(),
        Some("string") => "must be text".to_owned(),
        Some("boolean") => "must be one of true, false".to_owned(),
        Some("integer") => match (limit("minimum").unwrap_or_else(|| "0".to_owned()), limit("maximum")) {
            (least, Some(most)) => format!("must be a whole number, from {least} to {most}"),
            (least, None) => format!("must be a whole number, at least {least}"),
        },
        Some("number") => {
            let least = (limit("minimum"), limit("exclusiveMinimum"));
            let limits = match (least, limit("maximum"), limit("exclusiveMaximum")) {
                ((Some(least), _), Some(most), _) => format!(" from {least} to {most}"),
                ((Some(least), _), None, _) => format!(" of at least {least}"),
                ((None, Some(least)), Some(most), _) => format!(" above {least}, up to {most}"),
                ((None, Some(least)), None, Some(most)) => format!(" between {least} and {most}"),
                ((None, Some(least)), None, None) => format!(" above {least}"),
                _ => String::new(),
            };
            format!("must be a number{limits}")
        }
        _ => "has none of the forms that it may have".to_owned(),
    }
}

/// What is told of a key that is not one.
fn unknown(typed: &str, properties: &Map<String, Value>) -> String {
    let mut known: Vec<&str> = properties.keys().map(String::as_str).collect();
    known.sort_unstable();
    let mut message = "unknown key".to_owned();
    if let Some(ours) = elsewhere(typed, &known) {
        message += &ours;
    } else if let Some(near) = nearest(typed, &known) {
        message += &format!("; did you mean `{near}`?");
    }
    message + &format!(" (known keys: {})", known.join(", "))
}

/// A description as the end of a sentence.
fn in_a_clause(description: &str) -> String {
    let sentence = description.split_once(". ").map_or(description, |(first, _)| first).trim_end_matches('.');
    let mut letters = sentence.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// A whole number that is not quoted.
fn integer(node: &Node) -> Option<u64> {
    node.as_scalar().filter(|scalar| scalar.may_coerce()).and_then(|scalar| scalar.as_str().parse().ok())
}

/// A finite number that is not quoted.
fn number(node: &Node) -> Option<f64> {
    let text = node.as_scalar().filter(|scalar| scalar.may_coerce())?.as_str();
    // Rust reads "inf" and "nan" too; YAML's are ".inf" and ".nan". Neither is of use here.
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that this module knows of JSON Schema.
    const KEYWORDS: [&str; 24] = [
        "type",
        "enum",
        "const",
        "oneOf",
        "anyOf",
        "properties",
        "additionalProperties",
        "required",
        "items",
        "minItems",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minProperties",
        "errorMessage",
        // Said to editors only: `JobSpec` is checked for them, or they are no limits.
        "title",
        "description",
        "default",
        "format",
        "pattern",
        "minLength",
        "maxLength",
        "$schema",
    ];

    fn visit(schema: &Value, path: &str, found: &mut Vec<String>) {
        let Value::Object(keywords) = schema else { panic!("{path}: {schema}") };
        for (keyword, value) in keywords {
            if !KEYWORDS.contains(&keyword.as_str()) {
                found.push(format!("{path}: {keyword}"));
            }
            match (keyword.as_str(), value) {
                ("properties", Value::Object(properties)) => {
                    properties.iter().for_each(|(key, schema)| visit(schema, &format!("{path}.{key}"), found));
                }
                ("oneOf" | "anyOf", Value::Array(branches)) => {
                    branches.iter().for_each(|branch| visit(branch, path, found));
                    let of = |kind: &str| branches.iter().filter(|branch| branch["type"] == kind).count();
                    assert!(of("object") <= 1 && of("array") <= 1, "{path}");
                    assert!(schema.get("errorMessage").is_some() || keyword == "oneOf" || of("object") == 1, "{path}");
                }
                ("items", schema) => visit(schema, path, found),
                ("additionalProperties", schema @ Value::Object(_)) => visit(schema, path, found),
                _ => {}
            }
        }
        if keywords.get("type").is_some_and(|kind| kind == "object") {
            assert!(keywords.contains_key("additionalProperties"), "{path} takes any key");
        }
    }

    #[test]
    fn no_keyword_is_overlooked() {
        let mut found = Vec::new();
        visit(JobDocument::schema(), "job", &mut found);
        visit(ScoreDocument::schema(), "score", &mut found);
        assert_eq!(found, Vec::<String>::new());
    }

    /// The schema that is in the documentation, which the examples name.
    #[test]
    fn the_schema_in_the_documentation_is_this_one() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let committed = std::fs::read_to_string(root.join("docs/job-spec.schema.json")).unwrap();
        let committed: Value = serde_json::from_str(&committed).unwrap();
        assert!(committed == schema(), "run `segmenta schema > docs/job-spec.schema.json`");
        for entry in std::fs::read_dir(root.join("examples")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(text.starts_with("# yaml-language-server: $schema=../docs/job-spec.schema.json\n"), "{path:?}");
            }
        }
    }

    #[test]
    fn every_key_is_described() {
        fn described(schema: &Value, path: &str) {
            for (key, property) in schema["properties"].as_object().into_iter().flatten() {
                assert!(property["description"].is_string(), "{path}.{key}");
                for branch in std::iter::once(property).chain(property["anyOf"].as_array().into_iter().flatten()) {
                    described(branch, &format!("{path}.{key}"));
                }
            }
        }
        described(JobDocument::schema(), "job");
        described(ScoreDocument::schema(), "score");
    }
}
