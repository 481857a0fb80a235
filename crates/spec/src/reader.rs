//! Reads a YAML mapping key by key and collects every mistake.

use std::cell::{Cell, RefCell};
use std::fmt;

use marked_yaml::types::{MarkedMappingNode, Span};
use marked_yaml::{LoadError, LoaderOptions, Marker, Node, parse_yaml_with_options};

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

/// Bytes of a document, at most.
const MOST_BYTES: usize = 4 << 20;
/// Mappings and lists within each other; a spec has six.
const MOST_DEPTH: usize = 64;
/// Mistakes that are told one by one.
const MOST_ERRORS: usize = 100;
/// Characters of a key that a message shows.
const MOST_SHOWN: usize = 100;

/// Collects mistakes.
#[derive(Debug)]
pub(super) struct Errors<'a> {
    origin: &'a str,
    found: RefCell<Vec<SpecError>>,
    /// Beyond those.
    more: Cell<usize>,
}

impl<'a> Errors<'a> {
    pub(super) fn new(origin: &'a str) -> Self {
        Self { origin, found: RefCell::default(), more: Cell::default() }
    }

    pub(super) fn add(&self, span: &Span, key: impl Into<String>, message: impl Into<String>) {
        if self.found.borrow().len() >= MOST_ERRORS {
            self.more.set(self.more.get() + 1);
            return;
        }
        let (line, column) = span.start().map_or((1, 1), |mark| (mark.line(), mark.column()));
        self.found.borrow_mut().push(SpecError {
            origin: self.origin.to_owned(),
            line,
            column,
            key: key.into().chars().take(MOST_SHOWN).collect(),
            message: message.into(),
        });
    }

    pub(super) fn finish(self) -> SpecErrors {
        let mut found = self.found.into_inner();
        found.sort_by_key(|error| (error.line, error.column));
        if let (more @ 1.., Some(last)) = (self.more.get(), found.last_mut()) {
            last.message += &format!("\n{}: and {more} more mistakes", self.origin);
        }
        SpecErrors(found)
    }

    pub(super) fn none(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// Parses the text as a mapping, or adds why it is not one.
    pub(super) fn load(&self, text: &str) -> Option<MarkedMappingNode> {
        // Windows' editors put a byte order mark in front.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.len() > MOST_BYTES {
            self.add(&Span::new_blank(), "", format!("has {} bytes; a spec has at most {MOST_BYTES}", text.len()));
            return None;
        }
        // The parser recurses as deep as the document nests.
        if let Some(line) = nests_too_deep(text) {
            let mark = Marker::new(0, 0, line, 1);
            self.add(&Span::new_start(mark), "", format!("nests deeper than {MOST_DEPTH} mappings and lists"));
            return None;
        }
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

/// The line at which a document nests too deep, by the brackets that are open and the marks that one line begins with. Indentation
/// takes as many characters as it is deep, for each line, and so has its limit.
fn nests_too_deep(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (line, number) in text.lines().zip(1..) {
        let marks = line.split_whitespace().take_while(|word| matches!(*word, "-" | "?" | ":")).count();
        for character in line.chars() {
            match character {
                '[' | '{' => open += 1,
                ']' | '}' => open = open.saturating_sub(1),
                _ => {}
            }
            if open > MOST_DEPTH {
                return Some(number);
            }
        }
        if marks > MOST_DEPTH {
            return Some(number);
        }
    }
    None
}

/// Hands out the keys of one mapping; what is left at the end is unknown.
pub(super) struct Section<'a> {
    errors: &'a Errors<'a>,
    path: String,
    node: Option<&'a MarkedMappingNode>,
    /// The value of the key `method` where the section is written as that alone: `outliers: none`.
    method: Option<&'a Node>,
    span: Span,
    known: Vec<&'static str>,
}

/// Names that scikit-learn and the hdbscan package have for keys of a spec.
const ELSEWHERE: &[(&str, &[&str])] = &[
    ("n_clusters", &["k", "clusters"]),
    ("n_init", &["restarts"]),
    ("init", &["start"]),
    ("random_state", &["seed"]),
    ("max_iter", &["max_iterations"]),
    ("tol", &["tolerance"]),
    ("batch_size", &["batch_rows"]),
    ("distance_threshold", &["height"]),
    ("cluster_selection_method", &["selection"]),
    ("n_neighbors", &["neighbors"]),
    ("strategy", &["method"]),
    ("fill_value", &["value"]),
    ("contamination", &["forest"]),
    ("n_estimators", &["trees", "forest"]),
    ("max_samples", &["rows", "forest"]),
    ("sample_weight", &["weight"]),
];

/// What a key of another package is called here, where this section has that.
fn elsewhere(typed: &str, known: &[&'static str]) -> Option<String> {
    let (_, ours) = ELSEWHERE.iter().find(|(name, _)| *name == typed)?;
    let ours = ours.iter().find(|key| known.contains(key))?;
    Some(match *ours {
        "forest" => {
            "; it belongs to the section `forest`: {forest: {contamination: 0.01, trees: 100, rows: 256}}".to_owned()
        }
        ours => format!("; here it is `{ours}`"),
    })
}

impl<'a> Section<'a> {
    pub(super) fn top(errors: &'a Errors<'a>, node: &'a MarkedMappingNode) -> Self {
        Self { errors, path: String::new(), node: Some(node), method: None, span: *node.span(), known: vec![] }
    }

    /// The dotted path of a key of this section.
    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Adds a mistake at a key of this section, on its value's line when it is there.
    pub(super) fn wrong(&self, key: &str, message: impl Into<String>) {
        let span = self.get(key).map_or(self.span, |node| *node.span());
        self.errors.add(&span, self.key(key), message);
    }

    fn get(&self, key: &str) -> Option<&'a Node> {
        match self.method {
            Some(method) => (key == "method").then_some(method),
            None => self.node.and_then(|node| node.get_node(key)),
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub(super) fn node(&mut self, key: &'static str) -> Option<&'a Node> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.get(key)
    }

    pub(super) fn required(&mut self, key: &'static str, what: &str) -> Option<&'a Node> {
        let node = self.node(key);
        if node.is_none() && (self.node.is_some() || self.method.is_some()) {
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
        Section { errors: self.errors, path: self.key(key), node: mapping, method: None, span, known: vec![] }
    }

    /// As [`Section::section`]; a name alone stands for `{method: name}`.
    pub(super) fn section_or_method(&mut self, key: &'static str) -> Section<'a> {
        let node = self.node(key);
        self.within_or_method(key, node)
    }

    /// As [`Section::within`]; a name alone stands for `{method: name}`.
    pub(super) fn within_or_method(&self, key: &str, node: Option<&'a Node>) -> Section<'a> {
        match node {
            Some(method) if text(method).is_some() => Section {
                errors: self.errors,
                path: self.key(key),
                node: None,
                method: Some(method),
                span: *method.span(),
                known: vec![],
            },
            node => self.within(key, node),
        }
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
            if let Some(ours) = elsewhere(key.as_str(), &self.known) {
                message += &ours;
            } else if let Some(near) = nearest(key.as_str(), &self.known) {
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
    if typed.len() > MOST_SHOWN {
        return None;
    }
    let near = choices.iter().map(|choice| (strsim::levenshtein(typed, choice), *choice)).min()?;
    (near.0 <= 1 + near.1.len() / 4).then_some(near.1)
}
