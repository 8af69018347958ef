//! A long analysis shows how far it is, while it runs, to whoever reads the database.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use novelfoundry_database::analyses::AnalysisState;
use novelfoundry_manuscript::{Format, Limits, analyse_with, extract};
use novelfoundry_worker::WorkerOptions;

use crate::bed::{Bed, STORY, start, until};

/// The shortest time between two updates here: many of them fit into the analysis, however fast the machine is now.
const SHOW_EVERY: Duration = Duration::from_millis(20);
/// How long the analysis takes at the machine's best.
const LONG: Duration = Duration::from_secs(1);

/// Returns a text that takes this machine at least that long; `None` where none that is accepted does.
fn text_of(length: Duration) -> Option<String> {
    let sample = STORY.repeat(1500);
    // Other load makes an analysis longer, never shorter: the shortest of several is the machine's own.
    let best = (0..5).map(|_| {
        let begun = Instant::now();
        let document = extract(Format::Text, sample.as_bytes(), &Limits::default()).unwrap();
        let ended = analyse_with(&document, &mut |_| ControlFlow::<()>::Continue(()));
        assert!(ended.is_continue());
        begun.elapsed()
    });
    let times = length.as_nanos() / best.min().unwrap().as_nanos().max(1) + 1;
    let text = sample.repeat(usize::try_from(times).unwrap().min(10_000));
    (text.len() < Limits::default().text_bytes).then_some(text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_a_long_analysis_advance() {
    let Some(text) = text_of(LONG) else {
        println!("skipped: this machine analyses too fast to be watched");
        return;
    };
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let options = bed.options(bed.files.store(), "a").await;
    let worker = start(WorkerOptions { show_every: SHOW_EVERY, ..options });
    let upload = bed.upload(&writer, "long.txt", text.as_bytes()).await;
    let seen = std::cell::RefCell::new(Vec::new());
    until("the analysis has ended", async || {
        let analysis = bed.analysis(&writer, &upload).await.unwrap();
        seen.borrow_mut().push((analysis.state, analysis.progress, analysis.version));
        analysis.finished_at.is_some()
    })
    .await;
    let mut seen = seen.into_inner();
    assert!(seen.is_sorted_by_key(|seen| (seen.1, seen.2)), "{seen:?}");
    seen.dedup();
    assert_eq!(seen.last().map(|seen| (seen.0, seen.1)), Some((AnalysisState::Succeeded, 100)), "{seen:?}");
    let advancing =
        |seen: &&(AnalysisState, i32, i32)| seen.0 == AnalysisState::Running && (1..100).contains(&seen.1);
    assert!(seen.iter().filter(advancing).count() >= 2, "{seen:?}");
    worker.stop().await;
}
