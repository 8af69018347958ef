//! The arguments of `check`, `attack`, `init` and `explain`, which the lean binary and the whole product share. What
//! they mean together is worked out here, before anything is reached: a mistake is told at once.

mod arguments;
mod target;

#[cfg(test)]
mod tests;

/// What a schema can be asked.
#[expect(missing_docs, reason = "the help of each is its arguments' own")]
#[derive(clap::Subcommand)]
pub enum Command {
    Check(Box<CheckArgs>),
    Attack(Box<AttackArgs>),
    Init(InitArgs),
    Explain(ExplainArgs),
}

pub use arguments::{
    AttackArgs, CheckArgs, ExplainArgs, FailOn, InitArgs, InitWhat, ReportArgs, Setting, TargetArgs,
};
pub use target::{ArgumentError, DEFAULT_CONFIG, Source, load_config};
