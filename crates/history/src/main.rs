//! Runs histories from several seeds and prints a table; a failure prints its seed and the events that led to it.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails by panicking")]

use std::process::ExitCode;

use clap::Parser;
use novelfoundry_history::{Options, run, shorten};

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
    /// Leaves out to try the first failing seed again with ever fewer steps.
    #[arg(long)]
    no_shrink: bool,
}

fn main() -> ExitCode {
    let Arguments { operations, seeds, seed, no_shrink } = Arguments::parse();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!("  seed   steps requests acknowledged refused unknown faults  seconds violations");
    let mut failed = false;
    for seed in seed..seed + seeds {
        let options = Options { seed, operations, database: None };
        let report = runtime.block_on(run(options.clone()));
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
        for violation in report.violations.iter().take(20) {
            println!("\nseed {seed}: {violation}");
        }
        if report.violations.is_empty() {
            continue;
        }
        // Where others fail too, it is mostly for the same reason.
        if !failed && !no_shrink {
            println!("\nseed {seed} failed and is tried again with fewer of its steps and faults");
            match runtime.block_on(shorten(options, &report)) {
                Some((parts, violations)) => println!("\nwith {parts} of them: {}", violations.join("\n")),
                None => println!("\nit did not fail again"),
            }
        }
        failed = true;
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
