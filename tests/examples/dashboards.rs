//! The dashboards with the demo's data, for whoever works on the pages: prints its address and stays.

use std::sync::Arc;

use e2e_tests::fixtures::factory::Factory;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    #[expect(clippy::print_stdout, reason = "the address is what this program is asked for")]
    {
        println!("http://{}", listener.local_addr()?);
    }
    Ok(axum::serve(listener, dashboards::router(Arc::new(Factory::demo()))).await?)
}
