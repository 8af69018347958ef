//! A file becomes numbers, or a problem that its writer can read.

use novelfoundry_database::analyses::AnalysisState;
use novelfoundry_testkit::shared;
use serde_json::{Value, json};

use crate::bed::{Bed, STORY, STORY_WORDS};

fn code(problem: Option<Value>) -> Value {
    let problem = problem.unwrap();
    assert!(problem["detail"].as_str().unwrap().ends_with('.'), "{problem}");
    problem["code"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_story_is_counted() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let worker = bed.work("a").await;
    let upload = bed.upload(&writer, "story.txt", STORY.as_bytes()).await;
    bed.job_is(upload.job(), "succeeded").await;

    let analysis = bed.analysis(&writer, &upload).await.unwrap();
    assert_eq!((analysis.state, analysis.progress), (AnalysisState::Succeeded, 100));
    assert_eq!(analysis.problem, None);
    let words: u64 = STORY_WORDS.iter().sum();
    let result = analysis.result.unwrap();
    assert_eq!(result["words"], json!(words));
    assert_eq!(result["sentences"], json!(5));
    assert_eq!(result["paragraphs"], json!(3));
    assert_eq!(result["reading_time_seconds"], json!((words * 60).div_ceil(260)));
    assert_eq!(result["warnings"], json!([]));
    let chapters: Vec<_> = result["chapters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|chapter| (chapter["title"].as_str().unwrap().to_owned(), chapter["words"].as_u64().unwrap()))
        .collect();
    let titles = ["Chapter 1", "Chapter 2", "Chapter 3"].map(str::to_owned);
    assert_eq!(chapters, titles.into_iter().zip(STORY_WORDS).collect::<Vec<_>>());
    let used = "select kind || ' ' || quantity from app.usage_events";
    assert_eq!(bed.one(used).await, format!("analysis.words {words}"));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_not_the_declared_one_is_refused() {
    let bed = Bed::make().await;
    let writer = bed.writer().await;
    let worker = bed.work("a").await;
    let other = STORY.replace("lamp", "damp");
    assert_eq!(other.len(), STORY.len());
    for stored in [other.as_bytes(), &STORY.as_bytes()[1..], &[STORY.as_bytes(), b"."].concat()] {
        let upload = bed.ticket(&writer, "story.txt", STORY.as_bytes()).await;
        bed.files.put(&upload.key, stored).await;
        bed.complete(&writer, &upload).await;
        bed.job_is(upload.job(), "succeeded").await;
        let analysis = bed.analysis(&writer, &upload).await.unwrap();
        assert_eq!(analysis.state, AnalysisState::Failed);
        assert_eq!(code(analysis.problem), "upload-mismatch");
        assert_eq!(analysis.result, None);
        assert_eq!(bed.usages(&upload).await, "0");
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_files_fail_for_their_writer_and_others_go_on() {
    let bed = Bed::make().await;
    let (writer, other) = (bed.writer().await, bed.writer().await);
    let mut files: Vec<(String, Vec<u8>)> = vec![
        ("broken.docx".into(), b"PK\x03\x04 and then nothing that an archive needs".to_vec()),
        ("program.txt".into(), b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec()),
        ("blank.txt".into(), b" \n\n \t\n".to_vec()),
    ];
    let own = files.len();
    if let Some(folder) = shared("manuscripts/hostile") {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            // The database refuses a ticket for no bytes.
            if !bytes.is_empty() {
                files.push((path.file_name().unwrap().to_str().unwrap().to_owned(), bytes));
            }
        }
    }
    let mut uploads = Vec::new();
    for (name, bytes) in &files {
        uploads.push(bed.upload(&writer, name, bytes).await);
    }
    let good = bed.upload(&other, "story.txt", STORY.as_bytes()).await;
    let worker = bed.work("a").await;
    bed.job_is(good.job(), "succeeded").await;
    for (index, (upload, (name, _))) in uploads.iter().zip(&files).enumerate() {
        bed.job_is(upload.job(), "succeeded").await;
        let analysis = bed.analysis(&writer, upload).await.unwrap();
        match analysis.state {
            AnalysisState::Failed => drop(code(analysis.problem)),
            state => {
                assert_eq!(state, AnalysisState::Succeeded, "{name}");
                assert!(index >= own, "{name} was read");
            }
        }
    }
    let last = bed.upload(&other, "story.txt", STORY.as_bytes()).await;
    bed.job_is(last.job(), "succeeded").await;
    assert_eq!(bed.analysis(&other, &last).await.unwrap().state, AnalysisState::Succeeded);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_serve_many_tenants_and_each_job_once() {
    let bed = Bed::make().await;
    let mut uploads = Vec::new();
    for _ in 0..6 {
        let writer = bed.writer().await;
        for _ in 0..6 {
            uploads.push(bed.upload(&writer, "story.txt", STORY.as_bytes()).await);
        }
    }
    let (one, two) = (bed.work("one").await, bed.work("two").await);
    for upload in &uploads {
        bed.job_is(upload.job(), "succeeded").await;
        assert_eq!(bed.usages(upload).await, "1");
    }
    assert_eq!(bed.one("select max(attempts) from app.jobs").await, "1");
    assert_eq!(bed.one("select count(*) from app.analyses where state = 'succeeded'").await, "36");
    assert_eq!(bed.one("select count(distinct worker) from app.jobs").await, "2");
    one.stop().await;
    two.stop().await;
}
