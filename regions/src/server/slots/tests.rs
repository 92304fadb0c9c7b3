use std::collections::BTreeMap;
use std::net::IpAddr;

use futures::FutureExt;
use proptest::prelude::*;
use tokio::time::advance;

use super::*;

const HOLD: Duration = Duration::from_millis(250);

fn claim(address: u8, connection: u64) -> Claim {
    Claim { address: IpAddr::from([10, 0, 0, address]), connection }
}

/// Waits as far as nothing else has to happen.
fn now(entering: &mut Entering) -> Option<Slot> {
    entering.as_mut().now_or_never()
}

fn enter(slots: &Slots, claim: Claim) -> Entering {
    let slots = slots.clone();
    Box::pin(async move { slots.enter(claim).await })
}

#[tokio::test(start_paused = true)]
async fn holders_that_are_never_polled_again_block_no_other() {
    let passed_on = Arc::new(Counter::default());
    let slots = Slots::new(4, HOLD, passed_on.clone());
    // 100 that get a slot or wait, and are not polled after that.
    let mut hostile: Vec<Entering> = (0..100).map(|_| enter(&slots, claim(1, 1))).collect();
    let held: Vec<Option<Slot>> = hostile.iter_mut().map(now).collect();
    assert_eq!(held.iter().flatten().count(), 4);
    // The same connection with one more stream, another connection, another address: it waits for one slot, not for 100.
    for (name, newest) in [("address", claim(2, 2)), ("connection", claim(1, 3))] {
        let mut entering = enter(&slots, newest);
        assert!(now(&mut entering).is_none(), "{name}");
        advance(HOLD).await;
        assert!(now(&mut entering).is_some(), "{name}");
    }
    assert!(passed_on.get() >= 2);
}

#[tokio::test(start_paused = true)]
async fn no_slot_is_lost_without_a_waiter() {
    let passed_on = Arc::new(Counter::default());
    let slots = Slots::new(2, HOLD, passed_on.clone());
    let first = slots.enter(claim(1, 1)).await;
    let _second = slots.enter(claim(1, 1)).await;
    advance(100 * HOLD).await;
    assert_eq!(passed_on.get(), 0);
    // One that is given back is taken without waiting.
    drop(first);
    assert!(enter(&slots, claim(2, 2)).now_or_never().is_some());
    assert_eq!(passed_on.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn those_that_leave_while_they_wait_take_no_turn() {
    let slots = Slots::new(1, HOLD, Arc::default());
    let held = slots.enter(claim(1, 1)).await;
    let mut leaving: Vec<Entering> = (0..10).map(|n| enter(&slots, claim(2, n))).collect();
    leaving.iter_mut().for_each(|entering| assert!(now(entering).is_none()));
    let mut stays = enter(&slots, claim(3, 1));
    assert!(now(&mut stays).is_none());
    drop(leaving);
    drop(held);
    let stays = now(&mut stays).expect("its turn");
    drop(stays);
    // One that leaves between being given a slot and taking it gives it back.
    let held = slots.enter(claim(1, 1)).await;
    let mut gone = enter(&slots, claim(2, 1));
    assert!(now(&mut gone).is_none());
    drop(held);
    drop(gone);
    assert!(enter(&slots, claim(3, 1)).now_or_never().is_some());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// One client with any number of streams, others with few: between two turns of each address and of each connection of
    /// it every other one that waits has had one.
    #[test]
    fn turns_go_round(waiting in prop::collection::vec((0..4u8, 0..3u64, 1..8usize), 1..12)) {
        let mut turns = Turns::default();
        let mut left: BTreeMap<u8, BTreeMap<u64, usize>> = BTreeMap::new();
        for (address, connection, count) in waiting {
            for _ in 0..count {
                turns.push(claim(address, connection), ());
                *left.entry(address).or_default().entry(connection).or_default() += 1;
            }
        }
        let number = |claim: Claim| match claim.address {
            IpAddr::V4(ip) => ip.octets()[3],
            IpAddr::V6(_) => unreachable!("none here"),
        };
        let mut since: BTreeMap<u8, usize> = BTreeMap::new();
        while let Some((claim, ())) = turns.pop() {
            let address = number(claim);
            let connections = left.get_mut(&address).expect("it waits");
            let count = connections.get_mut(&claim.connection).expect("it waits");
            *count -= 1;
            if *count == 0 {
                connections.remove(&claim.connection);
            }
            if connections.is_empty() {
                left.remove(&address);
            }
            since.insert(address, 0);
            for (other, _) in left.iter().filter(|(other, _)| **other != address) {
                let waited = since.entry(*other).or_default();
                *waited += 1;
                prop_assert!(*waited <= 4, "{other} waits for {waited} turns of others");
            }
        }
        prop_assert!(left.is_empty() && turns.is_empty());
    }
}
