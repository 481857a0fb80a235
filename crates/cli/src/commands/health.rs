//! `segmenta health`: asks the probes of a coordinator or worker, in images that hold no other program that could.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use clap::Args;
use segmenta_engine::{EngineError, Fault};
use serde_json::json;

use crate::console::{line, result};

/// Ask a coordinator or worker whether it is alive; the exit code is 0 if it is
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  segmenta health                         # what SEGMENTA_PROBE_LISTEN says, as for a container's health check
  segmenta health 127.0.0.1:8080 --ready")]
pub(crate) struct Arguments {
    /// Address that its probes listen on
    #[arg(env = "SEGMENTA_PROBE_LISTEN")]
    address: SocketAddr,
    /// Ask whether it is ready for work, not only alive
    #[arg(long)]
    ready: bool,
    /// How long to wait for the answer
    #[arg(long, value_name = "TIME", default_value = "3s")]
    timeout: humantime::Duration,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let probe = if arguments.ready { "readyz" } else { "livez" };
    let url = format!("http://{}/{probe}", reachable(arguments.address));
    let runtime = crate::threads::runtime()?;
    let answer = runtime.block_on(ask(&url, *arguments.timeout))?;
    result(|| json!({"probe": probe, "answer": answer}), || line(&answer))?;
    Ok(())
}

/// The answer of a probe, if it says yes.
async fn ask(url: &str, timeout: Duration) -> Result<String, EngineError> {
    let failed = |what: String| EngineError::new(Fault::Cluster, format!("{url}: {what}"));
    let client = reqwest::Client::builder().no_proxy().timeout(timeout).build();
    let client = client.map_err(|error| failed(error.to_string()))?;
    let response = client.get(url).send().await.map_err(|error| failed(format!("does not answer: {error}")))?;
    let status = response.status();
    let text = response.text().await.map_err(|error| failed(format!("does not answer: {error}")))?;
    if status.is_success() { Ok(text.trim().to_owned()) } else { Err(failed(format!("{status}: {}", text.trim()))) }
}

/// The address to ask: that of the loopback interface where the probes listen on every interface.
fn reachable(address: SocketAddr) -> SocketAddr {
    let here: IpAddr = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(here, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everywhere_is_asked_here() {
        let reached = ["0.0.0.0:80", "[::]:80", "10.0.0.1:80"].map(|a| reachable(a.parse().unwrap()).to_string());
        assert_eq!(reached, ["127.0.0.1:80", "[::1]:80", "10.0.0.1:80"]);
    }
}
