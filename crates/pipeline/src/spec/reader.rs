//! Reads a YAML mapping key by key and collects every mistake.

use std::cell::RefCell;
use std::fmt;

use marked_yaml::types::{MarkedMappingNode, Span};
use marked_yaml::{LoadError, LoaderOptions, Node, parse_yaml_with_options};

/// One mistake in a spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecError {
    /// The file.
    pub origin: String,
    /// 1-based line.
    pub line: usize,
    /// 1-based column.
    pub column: usize,
    /// Dotted path of the key; empty for the document as a whole.
    pub key: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.origin, self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for SpecError {}

/// All mistakes of a spec, by line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecErrors(pub Vec<SpecError>);

impl fmt::Display for SpecErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for SpecErrors {}

/// Collects mistakes.
#[derive(Debug)]
pub(super) struct Errors<'a> {
    origin: &'a str,
    found: RefCell<Vec<SpecError>>,
}

impl<'a> Errors<'a> {
    pub(super) fn new(origin: &'a str) -> Self {
        Self { origin, found: RefCell::default() }
    }

    pub(super) fn add(&self, span: &Span, key: impl Into<String>, message: impl Into<String>) {
        let (line, column) = span.start().map_or((1, 1), |mark| (mark.line(), mark.column()));
        self.found.borrow_mut().push(SpecError {
            origin: self.origin.to_owned(),
            line,
            column,
            key: key.into(),
            message: message.into(),
        });
    }

    pub(super) fn finish(self) -> SpecErrors {
        let mut found = self.found.into_inner();
        found.sort_by_key(|error| (error.line, error.column));
        SpecErrors(found)
    }

    pub(super) fn none(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// Parses the text as a mapping, or adds why it is not one.
    pub(super) fn load(&self, text: &str) -> Option<MarkedMappingNode> {
        let options = LoaderOptions::default().error_on_duplicate_keys(true).prevent_coercion(true);
        match parse_yaml_with_options(0, text, options) {
            Ok(Node::Mapping(mapping)) => Some(mapping),
            Ok(other) => {
                self.add(other.span(), "", "a job spec is a mapping of keys (name, source, output, …)");
                None
            }
            Err(LoadError::DuplicateKey(inner)) => {
                let first = inner.prev_key.span().start().map_or(0, marked_yaml::Marker::line);
                self.add(
                    inner.key.span(),
                    inner.key.as_str(),
                    format!("the key is already there on line {first}; remove one"),
                );
                None
            }
            Err(LoadError::TopLevelMustBeMapping(mark)) => {
                let message = "a job spec is a mapping of keys (name, source, output, …)";
                self.add(&Span::new_start(mark), "", message);
                None
            }
            Err(error) => {
                let mark = match &error {
                    LoadError::UnexpectedAnchor(mark)
                    | LoadError::MappingKeyMustBeScalar(mark)
                    | LoadError::UnexpectedTag(mark)
                    | LoadError::ScanError(mark, _) => Some(*mark),
                    _ => None,
                };
                let text = error.to_string();
                let reason = text.split_once(": ").map_or(text.as_str(), |(_, reason)| reason);
                let span = mark.map_or_else(Span::new_blank, Span::new_start);
                self.add(&span, "", format!("not valid YAML: {reason}"));
                None
            }
        }
    }
}

/// Hands out the keys of one mapping; what is left at the end is unknown.
pub(super) struct Section<'a> {
    errors: &'a Errors<'a>,
    path: String,
    node: Option<&'a MarkedMappingNode>,
    span: Span,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    pub(super) fn top(errors: &'a Errors<'a>, node: &'a MarkedMappingNode) -> Self {
        Self { errors, path: String::new(), node: Some(node), span: *node.span(), known: vec![] }
    }

    /// The dotted path of a key of this section.
    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Adds a mistake at a key of this section, on its value's line when it is there.
    pub(super) fn wrong(&self, key: &str, message: impl Into<String>) {
        let span = self.node.and_then(|node| node.get_node(key)).map_or(self.span, |node| *node.span());
        self.errors.add(&span, self.key(key), message);
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.node.is_some_and(|node| node.get_node(key).is_some())
    }

    pub(super) fn node(&mut self, key: &'static str) -> Option<&'a Node> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.node.and_then(|node| node.get_node(key))
    }

    pub(super) fn required(&mut self, key: &'static str, what: &str) -> Option<&'a Node> {
        let node = self.node(key);
        if node.is_none() && self.node.is_some() {
            self.errors.add(&self.span, self.key(key), format!("is missing: {what}"));
        }
        node
    }

    /// A section within this one; one that is not there has only defaults.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'a> {
        let node = self.node(key);
        self.within(key, node)
    }

    /// The section that is the value of a key.
    pub(super) fn within(&self, key: &str, node: Option<&'a Node>) -> Section<'a> {
        let span = node.map_or(self.span, |node| *node.span());
        let mapping = node.and_then(Node::as_mapping);
        if node.is_some() && mapping.is_none() {
            self.wrong(key, "must be a mapping of keys; `{}` has the defaults");
        }
        Section { errors: self.errors, path: self.key(key), node: mapping, span, known: vec![] }
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, &'a Node)> + use<'a> {
        self.node.into_iter().flat_map(|node| node.iter().map(|(key, value)| (key.as_str(), value)))
    }

    /// Reports the keys that nothing asked for.
    pub(super) fn finish(self) {
        let Some(node) = self.node else { return };
        for (key, _) in node.iter() {
            if self.known.contains(&key.as_str()) {
                continue;
            }
            let mut message = "unknown key".to_owned();
            if let Some(near) = nearest(key.as_str(), &self.known) {
                message += &format!("; did you mean `{near}`?");
            }
            let mut known = self.known.clone();
            known.sort_unstable();
            message += &format!(" (known keys: {})", known.join(", "));
            self.errors.add(key.span(), self.key(key.as_str()), message);
        }
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        let node = self.node(key)?;
        let text = text(node);
        if text.is_none() {
            self.wrong(key, "must be text");
        }
        text
    }

    /// Text, or a list of texts.
    pub(super) fn texts(&self, key: &str, node: &'a Node) -> Vec<String> {
        let one = |node: &Node| {
            let text = text(node);
            if text.is_none() {
                self.errors.add(node.span(), self.key(key), "must be text, or a list of texts");
            }
            text
        };
        match node {
            Node::Sequence(list) if list.is_empty() => {
                self.wrong(key, "must not be an empty list");
                vec![]
            }
            Node::Sequence(list) => list.iter().filter_map(one).collect(),
            other => one(other).into_iter().collect(),
        }
    }

    pub(super) fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&'static str, T)], default: T) -> T {
        let Some(node) = self.node(key) else { return default };
        let text = node.as_scalar().map_or("", |scalar| scalar.as_str());
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
            return *value;
        }
        let names: Vec<&'static str> = choices.iter().map(|(name, _)| *name).collect();
        let near = nearest(text, &names).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        self.wrong(key, format!("must be one of {}{near}", names.join(", ")));
        default
    }

    pub(super) fn integer(&mut self, key: &'static str, default: u64, least: u64, most: u64) -> u64 {
        let Some(node) = self.node(key) else { return default };
        match integer(node) {
            Some(value) if (least..=most).contains(&value) => value,
            _ => {
                let limit =
                    if most == u64::MAX { format!("at least {least}") } else { format!("from {least} to {most}") };
                self.wrong(key, format!("must be a whole number, {limit}"));
                default
            }
        }
    }

    pub(super) fn number(&mut self, key: &'static str, default: f64, holds: impl Fn(f64) -> bool, what: &str) -> f64 {
        let Some(node) = self.node(key) else { return default };
        match number(node) {
            Some(value) if holds(value) => value,
            _ => {
                self.wrong(key, format!("must be a number {what}"));
                default
            }
        }
    }
}

/// Text that is not empty; YAML's null is none.
fn text(node: &Node) -> Option<String> {
    let scalar = node.as_scalar()?;
    let text = scalar.as_str();
    let null = scalar.may_coerce() && matches!(text, "null" | "Null" | "NULL" | "~");
    (!null && !text.trim().is_empty()).then(|| text.to_owned())
}

/// A whole number that is not quoted.
pub(super) fn integer(node: &Node) -> Option<u64> {
    node.as_scalar().filter(|scalar| scalar.may_coerce()).and_then(|scalar| scalar.as_str().parse().ok())
}

/// A finite number that is not quoted.
pub(super) fn number(node: &Node) -> Option<f64> {
    let text = node.as_scalar().filter(|scalar| scalar.may_coerce())?.as_str();
    // Rust reads "inf" and "nan" too; YAML's are ".inf" and ".nan". Neither is of use here.
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// The choice nearest to what was typed, if it is near.
fn nearest(typed: &str, choices: &[&'static str]) -> Option<&'static str> {
    let near = choices.iter().map(|choice| (edit_distance(typed, choice), *choice)).min()?;
    (near.0 <= 1 + near.1.len() / 4).then_some(near.1)
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
