//! `segmenta jobs`: the jobs of a coordinator.

use clap::{Args, ValueEnum};
use segmenta_service::api::{JobState, ListRequest};
use segmenta_service::client::explain;

use crate::remote::{Remote, show_jobs};

/// List the jobs of a coordinator, the last one first
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  segmenta jobs --coordinator http://coordinator:50050
  segmenta jobs --state failed --limit 10
  segmenta jobs --json | jq -r '.[] | select(.state == \"running\") | .id'")]
pub(crate) struct Arguments {
    /// The most jobs to list
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,
    /// List only jobs in this state; may be given several times
    #[arg(long, value_name = "STATE", value_enum)]
    state: Vec<State>,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    Waiting,
    Running,
    Done,
    Failed,
    Cancelled,
}

impl State {
    fn to_proto(self) -> i32 {
        let state = match self {
            Self::Waiting => JobState::Waiting,
            Self::Running => JobState::Running,
            Self::Done => JobState::Done,
            Self::Failed => JobState::Failed,
            Self::Cancelled => JobState::Cancelled,
        };
        state.into()
    }
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let target = arguments.remote.target()?;
    let states = arguments.state.iter().map(|state| state.to_proto()).collect();
    let mut request = ListRequest { limit: arguments.limit, states, page_token: String::new() };
    let runtime = crate::threads::runtime()?;
    runtime.block_on(async {
        let (mut client, mut jobs) = (target.connect().await?, vec![]);
        loop {
            let answer = client.list(request.clone()).await.map_err(|status| explain(&status))?.into_inner();
            jobs.extend(answer.jobs);
            request.page_token = answer.next_page_token;
            request.limit = arguments.limit.saturating_sub(jobs.len() as u32);
            if request.page_token.is_empty() || request.limit == 0 {
                break;
            }
        }
        show_jobs(&jobs)?;
        Ok(())
    })
}
