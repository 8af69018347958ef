//! Who gives way when every connection is taken. Refusing newcomers would let whoever came first keep everybody out,
//! at the price of a socket each.

use std::{
    cmp::Reverse,
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    task::{AbortHandle, Id},
    time::{Duration, Instant},
};

use crate::activity::Activity;

/// How long a newcomer's head may take before the connection gives way to anybody.
const GRACE: Duration = Duration::from_secs(1);

/// The connections of a server.
#[derive(Default)]
pub(crate) struct Crowd {
    members: HashMap<Id, Member>,
    networks: HashMap<IpAddr, Arc<AtomicUsize>>,
}

struct Member {
    network: IpAddr,
    /// How many connections the network holds.
    held: Arc<AtomicUsize>,
    activity: Arc<Activity>,
    connection: AbortHandle,
}

impl Crowd {
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn admit(&mut self, address: IpAddr, activity: Arc<Activity>, connection: AbortHandle) {
        let network = network(address);
        let held = Arc::clone(self.networks.entry(network).or_default());
        held.fetch_add(1, Ordering::Relaxed);
        self.members.insert(connection.id(), Member { network, held, activity, connection });
    }

    /// Forgets a connection that has ended.
    pub(crate) fn remove(&mut self, id: Id) {
        self.take(id);
    }

    /// Ends a connection.
    pub(crate) fn cut(&mut self, id: Id) {
        if let Some(member) = self.take(id) {
            tracing::debug!(network = %member.network, busy = member.activity.is_busy(), "connection cut");
            member.connection.abort();
        }
    }

    fn take(&mut self, id: Id) -> Option<Member> {
        let member = self.members.remove(&id)?;
        if member.held.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.networks.remove(&member.network);
        }
        Some(member)
    }

    /// Chooses the connection that gives way to a newcomer, if one does.
    ///
    /// One on which no request is under way goes first: of the network that holds most, the longest waiting. A newcomer
    /// moves aside at once those of its own network and of networks that hold more than its own, others only when
    /// [`GRACE`] has passed, so that nobody can keep others from sending their heads. Where all are busy, the network
    /// that holds most gives way to one that holds less even then: by its youngest request, with which least is lost.
    pub(crate) fn who_gives_way(&self, address: IpAddr, now: Instant) -> Option<Id> {
        let newcomer = network(address);
        let held = self.networks.get(&newcomer).map_or(0, |held| held.load(Ordering::Relaxed));
        self.longest_waiting(now, |member| member.network == newcomer || member.held() > held).or_else(|| {
            let busy = self.members.iter().filter(|(_, member)| member.held() > held + 1);
            let (id, _) = busy.max_by_key(|(_, member)| (member.held(), member.activity.since()))?;
            Some(*id)
        })
    }

    /// Chooses the connection that can be missed most easily, if none but waiting ones can.
    pub(crate) fn most_idle(&self, now: Instant) -> Option<Id> {
        self.longest_waiting(now, |_| true)
    }

    fn longest_waiting(&self, now: Instant, at_once: impl Fn(&Member) -> bool) -> Option<Id> {
        let waiting = self.members.iter().filter(|(_, member)| !member.activity.is_busy());
        let candidates = waiting.filter_map(|(id, member)| {
            let since = member.activity.since();
            let settled = now.saturating_duration_since(since) >= GRACE;
            (settled || at_once(member)).then_some(((member.held(), settled, Reverse(since)), *id))
        });
        candidates.max_by_key(|(order, _)| *order).map(|(_, id)| id)
    }
}

impl Member {
    fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

/// What one client can have many addresses of: in IPv6, a whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let bits = address.to_bits() & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A crowd, and who each member is: address, second of the last change, whether a request is under way.
    struct Room {
        crowd: Crowd,
        names: HashMap<Id, &'static str>,
        begun: Instant,
    }

    impl Room {
        fn of(members: &[(&'static str, &str, u64, bool)]) -> Self {
            let mut room = Self { crowd: Crowd::default(), names: HashMap::new(), begun: Instant::now() };
            for (name, address, since, busy) in members {
                let since = room.begun + Duration::from_secs(*since);
                let activity = if *busy { Activity::busy(since) } else { Activity::new(since) };
                let connection = tokio::spawn(std::future::pending::<()>()).abort_handle();
                room.names.insert(connection.id(), name);
                room.crowd.admit(address.parse().unwrap(), Arc::new(activity), connection);
            }
            room
        }

        fn gives_way(&self, newcomer: &str, second: u64) -> Option<&'static str> {
            let now = self.begun + Duration::from_secs(second);
            self.crowd.who_gives_way(newcomer.parse().unwrap(), now).map(|id| self.names[&id])
        }
    }

    #[tokio::test]
    async fn who_asks_nothing_goes_first_and_longest_waiting() {
        let room = Room::of(&[
            ("asks", "10.0.0.1", 0, true),
            ("waits", "10.0.0.1", 5, false),
            ("waits longer", "10.0.0.1", 3, false),
            ("fresh", "10.0.0.1", 9, false),
        ]);
        for newcomer in ["10.0.0.1", "10.0.0.2"] {
            assert_eq!(room.gives_way(newcomer, 9), Some("waits longer"), "{newcomer}");
        }
    }

    #[tokio::test]
    async fn a_fresh_connection_gives_way_to_no_network_that_holds_as_much() {
        let room = Room::of(&[
            ("attack 1", "10.0.0.1", 0, true),
            ("attack 2", "10.0.0.1", 0, true),
            ("sends its head", "10.0.0.2", 9, false),
        ]);
        assert_eq!(room.gives_way("10.0.0.1", 9), None, "the attacker's own are busy");
        assert_eq!(room.gives_way("10.0.0.2", 9), Some("sends its head"), "its own");
        assert_eq!(room.gives_way("10.0.0.3", 9), Some("sends its head"), "one that holds less");
        assert_eq!(room.gives_way("10.0.0.1", 10), Some("sends its head"), "after a second");
    }

    #[tokio::test]
    async fn a_flood_of_fresh_connections_gives_way_to_itself() {
        let room = Room::of(&[
            ("flood 1", "10.0.0.1", 9, false),
            ("flood 2", "10.0.0.1", 9, false),
            ("kept alive", "10.0.0.2", 0, false),
        ]);
        let given = room.gives_way("10.0.0.1", 9);
        assert!(given.is_some_and(|name| name.starts_with("flood")), "{given:?}");
    }

    #[tokio::test]
    async fn where_all_are_busy_the_network_that_holds_most_gives_way_to_one_that_holds_less() {
        let room = Room::of(&[
            ("a1", "10.0.0.1", 1, true),
            ("a3", "10.0.0.1", 3, true),
            ("a2", "10.0.0.1", 2, true),
            ("b1", "10.0.0.2", 4, true),
            ("b2", "10.0.0.2", 5, true),
        ]);
        assert_eq!(room.gives_way("10.0.0.3", 9), Some("a3"), "its youngest");
        assert_eq!(room.gives_way("10.0.0.2", 9), None, "it would hold as much");
        assert_eq!(room.gives_way("10.0.0.1", 9), None, "its own requests are not cut off");
    }

    #[tokio::test]
    async fn a_network_is_one_however_many_addresses_it_has() {
        let room = Room::of(&[
            ("a1", "2001:db8::1", 1, true),
            ("a2", "2001:db8::2", 2, true),
            ("b1", "2001:db8:0:1::1", 3, true),
        ]);
        assert_eq!(room.gives_way("2001:db8::3", 9), None);
        assert_eq!(room.gives_way("2001:db8:0:2::1", 9), Some("a2"));
        let mapped = Room::of(&[("a1", "::ffff:10.0.0.1", 1, true), ("a2", "10.0.0.1", 2, true)]);
        assert_eq!(mapped.gives_way("::ffff:10.0.0.2", 9), Some("a2"));
    }

    #[tokio::test]
    async fn whoever_is_cut_or_has_ended_is_forgotten() {
        let mut room = Room::of(&[("a1", "10.0.0.1", 1, true), ("a2", "10.0.0.1", 2, true)]);
        let ids: Vec<_> = room.names.keys().copied().collect();
        room.crowd.cut(ids[0]);
        room.crowd.remove(ids[0]);
        assert_eq!((room.crowd.len(), room.crowd.networks.len()), (1, 1));
        assert_eq!(room.gives_way("10.0.0.2", 9), None, "one each");
        room.crowd.remove(ids[1]);
        assert_eq!((room.crowd.len(), room.crowd.networks.len()), (0, 0));
    }
}
