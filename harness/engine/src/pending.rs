//! Which requests of a call still wait for their response.

use examiner_api::{ErrorCode, PluginError, Result};

/// The requests of one call of a model, each of which is answered exactly once.
#[derive(Debug, Default)]
pub(crate) struct PendingRequests {
    /// Ids in ascending order, and whether their response has come.
    requests: Vec<(u64, bool)>,
}

impl PendingRequests {
    /// Requests with these ids, none of which has been answered.
    pub(crate) fn new(ids: impl IntoIterator<Item = u64>) -> Self {
        let mut requests: Vec<(u64, bool)> = ids.into_iter().map(|id| (id, false)).collect();
        requests.sort_unstable();
        requests.dedup();
        PendingRequests { requests }
    }

    /// Records that the request has been answered.
    ///
    /// # Errors
    /// A second response to a request, or one to a request that was never made: a breach of the protocol, after which no
    /// response of the call can be relied upon.
    pub(crate) fn claim(&mut self, id: u64) -> Result<()> {
        let breach = match self.requests.binary_search_by_key(&id, |(id, _)| *id) {
            Ok(index) if !self.requests[index].1 => {
                self.requests[index].1 = true;
                return Ok(());
            }
            Ok(_) => format!("the model answered request {id} twice"),
            Err(_) => format!("the model answered request {id}, which it was never asked"),
        };
        Err(PluginError::new(ErrorCode::Protocol, breach)
            .with_help("its responses cannot be told apart; this is an error in the plugin, tell its author"))
    }

    /// Whether the request has not been answered yet.
    pub(crate) fn is_waiting(&self, id: u64) -> bool {
        self.requests.binary_search(&(id, false)).is_ok()
    }

    /// The requests that have not been answered yet, in the order of their ids.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = u64> {
        self.requests.iter().filter(|(_, answered)| !answered).map(|(id, _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_waits_until_it_is_claimed() {
        // Ids are the caller's: neither dense nor in order.
        let mut pending = PendingRequests::new([7, u64::MAX, 0]);
        assert_eq!(pending.waiting().collect::<Vec<_>>(), [0, 7, u64::MAX]);
        pending.claim(7).unwrap();
        assert!(!pending.is_waiting(7) && pending.is_waiting(0) && !pending.is_waiting(1));
        assert_eq!(pending.waiting().collect::<Vec<_>>(), [0, u64::MAX]);
        pending.claim(u64::MAX).unwrap();
        pending.claim(0).unwrap();
        assert_eq!(pending.waiting().count(), 0);
    }

    #[test]
    fn a_second_response_and_one_to_no_request_break_the_protocol() {
        let mut pending = PendingRequests::new([1, 2]);
        pending.claim(1).unwrap();
        let twice = pending.claim(1).unwrap_err();
        assert_eq!((twice.code, twice.message.as_str()), (ErrorCode::Protocol, "the model answered request 1 twice"));
        let unknown = pending.claim(3).unwrap_err();
        assert_eq!(unknown.code, ErrorCode::Protocol);
        assert_eq!(unknown.message, "the model answered request 3, which it was never asked");
        assert!(twice.help.is_some() && unknown.help.is_some());
        // Neither changes what is waited for.
        assert_eq!(pending.waiting().collect::<Vec<_>>(), [2]);
        assert!(PendingRequests::new([]).claim(0).is_err());
    }
}
