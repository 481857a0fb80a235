//! `segmenta completions`: what a shell completes.

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use crate::console::line;

/// Print the completions for a shell
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  source <(segmenta completions bash)
  segmenta completions zsh > ~/.zfunc/_segmenta
  segmenta completions fish > ~/.config/fish/completions/segmenta.fish")]
pub(crate) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments, mut command: Command) -> anyhow::Result<()> {
    let mut script = vec![];
    generate(arguments.shell, &mut command, "segmenta", &mut script);
    line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(())
}
