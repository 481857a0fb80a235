//! `segmenta answer-check`: the process that a coordinator checks a spec in. It is not for people.

use segmenta_service::coordinator::checks;

pub(crate) fn run() -> anyhow::Result<()> {
    Ok(checks::answer(std::io::stdin(), std::io::stdout())?)
}
