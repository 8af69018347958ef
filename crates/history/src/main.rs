//! Runs histories from several seeds and prints a table; a failure prints its seed and the events that led to it.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails by panicking")]

use std::process::ExitCode;

use clap::Parser;
use novelfoundry_history::{Options, run};

/// Looks for leaks, losses and repeated effects in random histories under faults.
#[derive(Parser)]
struct Arguments {
    /// Steps of all clients together, a seed.
    #[arg(long, default_value_t = 100_000)]
    operations: usize,
    /// How many seeds.
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Tries a failing seed again with ever fewer steps.
    #[arg(long)]
    shrink: bool,
}

fn main() -> ExitCode {
    let Arguments { operations, seeds, seed, shrink } = Arguments::parse();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!("  seed   steps requests acknowledged refused unknown faults  seconds violations");
    let mut failed = false;
    for seed in seed..seed + seeds {
        let options = Options { seed, operations, database: None, shrink };
        let report = runtime.block_on(run(options));
        println!(
            "{seed:>6} {operations:>7} {:>8} {:>12} {:>7} {:>7} {:>6} {:>8.1} {:>10}",
            report.requests,
            report.acknowledged,
            report.refused,
            report.unknown,
            report.faults,
            report.took.as_secs_f64(),
            report.violations.len()
        );
        failed |= !report.violations.is_empty();
        for violation in report.violations.iter().take(20) {
            println!("\nseed {seed}: {violation}");
        }
        if let Some((parts, violations)) = &report.smaller {
            println!("\nseed {seed}, with {parts} of its steps and faults: {}", violations.join("\n"));
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
