//! How large a query may be. Planning takes time, memory and stack that grow with the query, and a coordinator plans
//! whatever anybody with the right to ask for a check sends it.
//!
//! | limit | what it prevents |
//! |---|---|
//! | bytes and words of the text | a parser that is busy for a long time |
//! | depth of expressions, subqueries, joins and set operations | recursion that ends the process |
//! | tables read, with every WITH written out | a WITH that reads the one before it twice doubles the plan each time |
//! | columns of CUBE | each column doubles the number of sets |

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::execution::SessionState;
use datafusion::sql::parser::Statement as ParsedStatement;
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, GroupByExpr, ObjectName, Query, Select, SetExpr, Statement, TableFactor, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use segmenta_engine::{EngineError, Result};

use segmenta_spec::depth::with_large_stack;

const MOST_BYTES: usize = 256 * 1024;
const MOST_WORDS: usize = 20_000;
const MOST_DEPTH: usize = 200;
const MOST_TABLES: usize = 500;
const MOST_CUBED: usize = 10;

/// Parses a query if it is within the limits.
///
/// # Errors
/// When the SQL cannot be parsed, or which limit it exceeds.
pub(super) fn parse(state: &SessionState, sql: &str) -> Result<ParsedStatement> {
    let refused = |what: &dyn std::fmt::Display| EngineError::spec(format!("source.sql: {what}"));
    if sql.len() > MOST_BYTES {
        return Err(refused(&format!("has {} bytes; at most {MOST_BYTES} are read", sql.len())));
    }
    let read = || {
        // A text that the tokenizer cannot split into words is reported by the parser, with the position.
        if let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql).tokenize() {
            let words = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))).count();
            if words > MOST_WORDS {
                return Err(refused(&format!("has {words} words and signs; at most {MOST_WORDS} are planned")));
            }
        }
        let dialect = state.config().options().sql_parser.dialect;
        let statement = state.sql_to_statement(sql, &dialect).map_err(|error| {
            let message = error.strip_backtrace();
            if message.contains("RecursionLimitExceeded") {
                refused(&"nests more than 50 brackets or signs, which is too deep to be read")
            } else {
                refused(&message)
            }
        })?;
        if let ParsedStatement::Statement(statement) = &statement {
            let statement: &Statement = statement;
            if let ControlFlow::Break(what) = statement.visit(&mut Measured::default()) {
                return Err(refused(&what));
            }
        }
        Ok(statement)
    };
    with_large_stack(read).map_err(|error| EngineError::job(format!("source.sql: {error}")))?
}

#[derive(Default)]
struct Measured {
    depth: usize,
    cubed: usize,
    /// Tables read by each query that is being visited, the outermost first. What a WITH names is counted as often as
    /// it is read.
    reads: Vec<usize>,
    /// What a name in a WITH reads.
    named: HashMap<String, usize>,
    /// The names of queries in a WITH that have not been visited yet, by their position.
    awaited: HashMap<usize, String>,
}

fn place(query: &Query) -> usize {
    std::ptr::from_ref(query) as usize
}

impl Measured {
    fn deeper(&mut self, by: usize) -> ControlFlow<String> {
        self.depth += by;
        if self.depth > MOST_DEPTH {
            return ControlFlow::Break(format!(
                "nests deeper than {MOST_DEPTH} expressions, subqueries and set operations; write IN (…) for a chain of OR, one \
                 table for a chain of UNION, and CASE or a join for nested functions"
            ));
        }
        ControlFlow::Continue(())
    }

    fn read(&mut self, tables: usize) -> ControlFlow<String> {
        let Some(reads) = self.reads.last_mut() else { return ControlFlow::Continue(()) };
        *reads = reads.saturating_add(tables);
        if *reads > MOST_TABLES {
            return ControlFlow::Break(format!(
                "reads tables more than {MOST_TABLES} times, with every WITH written out where it is named; read each of them once"
            ));
        }
        ControlFlow::Continue(())
    }
}

impl Visitor for Measured {
    type Break = String;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        self.reads.push(0);
        for named in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.awaited.insert(place(&named.query), named.alias.name.value.to_lowercase());
        }
        self.deeper(set_operations(&query.body) + 1)
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        self.depth = self.depth.saturating_sub(set_operations(&query.body) + 1);
        let reads = self.reads.pop().unwrap_or_default();
        if let Some(name) = self.awaited.remove(&place(query)) {
            let known = self.named.entry(name).or_default();
            *known = reads.max(*known);
        }
        self.read(reads)
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<String> {
        let joins = select.from.iter().map(|table| table.joins.len()).max().unwrap_or_default();
        if joins > MOST_DEPTH {
            return ControlFlow::Break(format!("joins {joins} tables in a row; at most {MOST_DEPTH} are planned"));
        }
        let GroupByExpr::Expressions(keys, modifiers) = &select.group_by else { return ControlFlow::Continue(()) };
        let cubed = keys.iter().map(|key| match key {
            SqlExpr::Cube(sets) => sets.len(),
            _ => 0,
        });
        self.cubed += cubed.sum::<usize>() + if modifiers.is_empty() { 0 } else { keys.len() };
        if self.cubed > MOST_CUBED {
            return ControlFlow::Break(format!(
                "CUBE of {} columns has 2^{0} sets; {MOST_CUBED} are the most, or write the GROUPING SETS that you need",
                self.cubed
            ));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<String> {
        let name = relation.to_string().trim_matches('"').to_lowercase();
        self.read(self.named.get(&name).copied().unwrap_or_default() + 1)
    }

    fn pre_visit_table_factor(&mut self, _table: &TableFactor) -> ControlFlow<String> {
        self.deeper(1)
    }

    fn post_visit_table_factor(&mut self, _table: &TableFactor) -> ControlFlow<String> {
        self.depth = self.depth.saturating_sub(1);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, _expression: &SqlExpr) -> ControlFlow<String> {
        self.deeper(1)
    }

    fn post_visit_expr(&mut self, _expression: &SqlExpr) -> ControlFlow<String> {
        self.depth = self.depth.saturating_sub(1);
        ControlFlow::Continue(())
    }
}

/// How deep set operations nest within each other, on the left as on the right.
fn set_operations(body: &SetExpr) -> usize {
    let (mut deepest, mut open) = (0, vec![(body, 0)]);
    while let Some((body, depth)) = open.pop() {
        deepest = depth.max(deepest);
        if let SetExpr::SetOperation { left, right, .. } = body {
            open.extend([(&**left, depth + 1), (&**right, depth + 1)]);
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_that_are_too_large() {
        let state = segmenta_engine::runtime::planning_state().unwrap();
        let said = |sql: &str| parse(&state, sql).err().map(|error| error.message).unwrap_or_default();
        let doubling = |times: usize| {
            let with =
                (1..=times).map(|i| format!(", t{i} AS (SELECT a.x FROM t{} a JOIN t{0} b ON a.x = b.x)", i - 1));
            format!("WITH t0 AS (SELECT x FROM t){} SELECT x FROM t{times}", with.collect::<String>())
        };
        for (sql, expected) in [
            (format!("SELECT {}", vec!["a"; 2_000].join("+")), "nests deeper than 200"),
            (format!("SELECT {}", vec!["a = 1"; 2_000].join(" OR ")), "nests deeper than 200"),
            (format!("SELECT {}1", "- ".repeat(5_000)), "more than 50 brackets"),
            (format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000)), "more than 50 brackets"),
            (vec!["SELECT 1"; 3_000].join(" UNION ALL "), "nests deeper than 200"),
            (format!("SELECT {}", vec!["a"; 20_000].join(",")), "words and signs"),
            (format!("SELECT '{}'", "x".repeat(300_000)), "bytes"),
            (doubling(24), "reads tables more than 500 times"),
            (format!("SELECT * FROM t{}", ", t".repeat(600)), "reads tables more than 500 times"),
            (format!("SELECT 1 FROM t GROUP BY CUBE({})", vec!["a"; 24].join(",")), "CUBE of 24 columns has 2^24 sets"),
        ] {
            let message = said(&sql);
            assert!(message.contains(expected), "{expected}: {}", &message[..message.len().min(300)]);
        }
        let sum = vec!["COALESCE(a, 0)"; 150].join(" + ");
        assert_eq!(
            said(&format!("WITH a AS (SELECT {sum} AS x FROM t) SELECT x FROM a UNION ALL SELECT x FROM a")),
            ""
        );
        assert_eq!(said(&doubling(5)), "");
    }
}
