//! Everything that is kept of a person and their workspace, to compare before and after what must leave no trace.

use tokio_postgres::{Client, SimpleQueryMessage};

use crate::app::{App, Writer};

/// Reads the rows of one person and workspace, from every table that knows tenants or people.
pub(crate) struct Kept {
    client: Client,
    sql: String,
}

impl Kept {
    pub(crate) async fn of(app: &App, writer: &Writer) -> Self {
        let tables = "select c.table_name,
                             bool_or(c.column_name = 'tenant_id') as of_tenants,
                             bool_or(c.column_name = 'user_id') as of_people
                        from information_schema.columns c
                        join information_schema.tables t using (table_schema, table_name)
                       where t.table_schema = 'app' and t.table_type = 'BASE TABLE'
                         and c.column_name in ('tenant_id', 'user_id')
                       group by 1
                       order by 1";
        let tables = app.database.sql(tables).await.unwrap();
        assert!(tables.len() >= 18, "only {} tables were found", tables.len());
        let (tenant, user) = (writer.tenant, writer.user);
        let mut parts = Vec::new();
        for row in tables {
            let [table, of_tenants, of_people] = [0, 1, 2].map(|column: usize| row[column].clone().unwrap());
            // Each by itself: with both in one condition a cluster would ask every shard of every table.
            let of_tenant = (of_tenants == "t").then(|| format!("tenant_id = '{tenant}'"));
            // What a person is in elsewhere stands in the directory, on one node.
            let of_person = (of_people == "t").then(|| format!("user_id = '{user}'"));
            for condition in [of_tenant, of_person].into_iter().flatten() {
                parts.push(format!(
                    "select '{table}', row_to_json(t)::text from app.{table} t where {condition} order by 2"
                ));
            }
        }
        let client = app.database.connect_as(&app.database.admin).await.unwrap();
        Self { client, sql: parts.join(";\n") }
    }

    pub(crate) async fn rows(&self) -> Vec<(String, String)> {
        let messages = self.client.simple_query(&self.sql).await.unwrap();
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((row.get(0)?.to_owned(), row.get(1)?.to_owned())),
            _ => None,
        });
        rows.collect()
    }
}
