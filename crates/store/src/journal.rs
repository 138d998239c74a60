//! What journals have in common: rows in the order of their writing, of which the newest stay.

use uuid::Uuid;

/// The last row that a trim removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge(Uuid);

impl Edge {
    pub(crate) fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// Where to begin: behind the edge, or at the very beginning.
    pub(crate) fn start(edge: Option<Self>) -> Uuid {
        edge.map_or(Uuid::nil(), |edge| edge.0)
    }
}
