//! Loads YAML with the lines that it has, and collects mistakes.

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
pub(super) fn elsewhere(typed: &str, known: &[&str]) -> Option<String> {
    let (_, ours) = ELSEWHERE.iter().find(|(name, _)| *name == typed)?;
    let ours = ours.iter().find(|key| known.contains(key))?;
    Some(match *ours {
        "forest" => {
            "; it belongs to the section `forest`: {forest: {contamination: 0.01, trees: 100, rows: 256}}".to_owned()
        }
        ours => format!("; here it is `{ours}`"),
    })
}

/// A place in a document: the mapping that some keys lead to.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    errors: &'a Errors<'a>,
    root: &'a MarkedMappingNode,
    path: Vec<String>,
}

impl<'a> Place<'a> {
    /// The whole document.
    pub(super) fn top(errors: &'a Errors<'a>, root: &'a MarkedMappingNode) -> Self {
        Self { errors, root, path: vec![] }
    }

    /// The mapping at a key of this one.
    pub(super) fn at(&self, key: &str) -> Self {
        let mut place = self.clone();
        place.path.push(key.to_owned());
        place
    }

    /// Adds a mistake at a key of this mapping, on the line of its value, or of the nearest mapping around it that is there.
    pub(super) fn wrong(&self, key: &str, message: impl Into<String>) {
        let mut span = *self.root.span();
        let mut mapping = Some(self.root);
        for key in self.path.iter().map(String::as_str).chain([key]) {
            let Some(node) = mapping.and_then(|mapping| mapping.get_node(key)) else { break };
            span = *node.span();
            mapping = node.as_mapping();
        }
        self.errors.add(&span, self.at(key).path.join("."), message);
    }

    /// Whether the document has a key here.
    pub(super) fn has(&self, key: &str) -> bool {
        let mut mapping = Some(self.root);
        for key in &self.path {
            mapping = mapping.and_then(|mapping| mapping.get_mapping(key));
        }
        mapping.is_some_and(|mapping| mapping.get_node(key).is_some())
    }

    /// Adds the same mistake at each key that is there and of no use.
    pub(super) fn unused(&self, keys: &[(&str, bool)], why: &str) {
        for (key, _) in keys.iter().filter(|(_, is_there)| *is_there) {
            self.wrong(key, why);
        }
    }
}

/// Text that is not empty; YAML's null is none.
pub(super) fn text(node: &Node) -> Option<String> {
    let scalar = node.as_scalar()?;
    let text = scalar.as_str();
    let null = scalar.may_coerce() && matches!(text, "null" | "Null" | "NULL" | "~");
    (!null && !text.trim().is_empty()).then(|| text.to_owned())
}

/// The choice nearest to what was typed, if it is near.
pub(super) fn nearest<'a>(typed: &str, choices: &[&'a str]) -> Option<&'a str> {
    if typed.len() > MOST_SHOWN {
        return None;
    }
    let near = choices.iter().map(|choice| (strsim::levenshtein(typed, choice), *choice)).min()?;
    (near.0 <= 1 + near.1.len() / 4).then_some(near.1)
}
