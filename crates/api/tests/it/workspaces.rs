//! How many workspaces a person may be in.

use reqwest::Method;
use serde_json::json;

use crate::app::{App, Writer};

async fn count(app: &App, writer: &Writer) -> i64 {
    let sql = format!("select count(*) from app.user_tenants where user_id = '{}'", writer.user);
    app.database.sql(&sql).await.unwrap()[0][0].as_deref().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_creations_at_once_stop_at_the_hundredth_workspace() {
    let app = App::start().await;
    let anna = app.writer().await;
    let others = format!(
        "insert into app.user_tenants (tenant_id, user_id, tenant_name)
         select gen_random_uuid(), '{}', 'Another' from generate_series(1, 92)",
        anna.user
    );
    app.database.sql(&others).await.unwrap();
    let create = async |key: String| {
        let request = app.request(&anna.token, Method::POST, "/v1/tenants").header("idempotency-key", &key);
        (key, app.send(request.json(&json!({"name": "One more"}))).await)
    };
    let answers = futures_util::future::join_all((0..20).map(|number| create(format!("key {number}")))).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(_, answer)| answer.status == 201);
    assert_eq!((made.len(), count(&app, &anna).await), (7, 100));
    for (_, answer) in refused {
        assert_eq!((answer.status.as_u16(), answer.code()), (409, "too-many-workspaces"), "{}", answer.body);
    }
    // What was made before is answered as before, and nobody else is kept from anything.
    let (key, first) = &made[0];
    let (_, again) = create(key.clone()).await;
    assert_eq!(again.expect(201)["tenant_id"], first.body["tenant_id"]);
    let bruno = app.writer().await;
    app.post(&bruno, "/v1/tenants", json!({"name": "His second"})).await.expect(201);

    let left = format!(
        "delete from app.user_tenants where user_id = '{}' and tenant_name = 'Another'
           and tenant_id = (select min(tenant_id::text)::uuid from app.user_tenants
                             where user_id = '{0}' and tenant_name = 'Another')",
        anna.user
    );
    app.database.sql(&left).await.unwrap();
    create("after one was left".to_owned()).await.1.expect(201);
    assert_eq!(count(&app, &anna).await, 100);
}
