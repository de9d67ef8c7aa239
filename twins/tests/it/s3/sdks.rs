//! S3 as its official SDKs see it, and the evidence of what they drove.

use std::sync::Arc;

use jiff::Timestamp;
use twins::{Engine, EngineOptions};

use super::config;
use crate::sdk::{Evidence, run};

#[tokio::test(flavor = "multi_thread")]
async fn official_sdks_drive_s3() {
    // The SDKs sign by the clock on the wall, and what they sign ends on the virtual one.
    let engine = Engine::new(EngineOptions { seed: 7, start_at: Timestamp::now() });
    let space = Arc::new(engine.space("test", 1));
    let served = space.serve("s3", config()).unwrap();
    let mut seen = Evidence::default();
    run(&space, &served, "python/s3_objects.py", "boto3 1.44.5", &mut seen).await;
    run(&space, &served, "node/s3_objects.mjs", "@aws-sdk/client-s3 3.1169.0", &mut seen).await;
    run(&space, &served, "node/s3_retries.mjs", "@aws-sdk/client-s3 3.1169.0", &mut seen).await;
    seen.check("s3", &[]);
}
