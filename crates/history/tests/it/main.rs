//! A small history from a fixed seed, on the database of this run; `script/history` runs long ones from many seeds.

use novelfoundry_history::{Options, run};
use novelfoundry_testkit::{Database, ENVIRONMENT};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_history_leaks_loses_and_repeats_nothing() {
    // A cluster is prepared once for all tests and is not to be crashed; a server of its own takes three seconds.
    let on_cluster = std::env::var(ENVIRONMENT).is_ok() && Database::shared().await.nodes.is_some();
    let database = if on_cluster { Some(Database::fresh().await) } else { None };
    let operations = if on_cluster { 1000 } else { 2500 };
    let report = run(Options { seed: 7, operations, database }).await;
    println!("{report:?}");
    assert!(
        report.violations.is_empty(),
        "seed 7, which `script/history --seeds 1 --seed 7 --operations {operations}` makes smaller: {}",
        report.violations.join("\n")
    );
    assert!(report.acknowledged > operations / 4, "most of it was refused: {report:?}");
    // The few steps on a cluster do not come to all.
    if !on_cluster {
        assert_eq!(report.unused, ["health.live", "health.ready"], "every operation is played");
    }
    assert!(report.faults > 0 && report.unknown > 0, "no fault struck: {report:?}");
}
