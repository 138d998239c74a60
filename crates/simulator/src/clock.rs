//! The one place where the simulator asks what time it is; tests put their own clock in its stead.

use std::sync::Arc;

use time::OffsetDateTime;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// The system's clock.
pub fn system() -> Clock {
    Arc::new(|| OffsetDateTime::from(std::time::SystemTime::now()))
}
