//! The line before the hashing of passwords: a few turns at once, and fair between places on the network. Whoever sends
//! a thousand logins from one address waits behind itself; everybody else's next one comes up after one of each place.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::address::Place;

/// Waits of several places; a clone is the same line.
#[derive(Debug, Clone)]
pub(super) struct Line(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Turns that nobody has.
    free: usize,
    /// Those who wait, by place, the first of each in front. No place is here without somebody who waits.
    waiting: HashMap<Place, VecDeque<oneshot::Sender<Turn>>>,
    /// Each place that waits, once: the next turn is for the one in front.
    order: VecDeque<Place>,
    count: usize,
    most: usize,
}

/// The right to work; passed on when it is dropped.
#[derive(Debug)]
pub(super) struct Turn(Line);

impl Line {
    /// At most `waiting` wait. In a full line the place that has most in it gives one up for a place that has fewer.
    pub fn new(at_once: usize, waiting: usize) -> Line {
        let (waiting_by_place, order) = (HashMap::new(), VecDeque::new());
        Line(Arc::new(Mutex::new(State { free: at_once, waiting: waiting_by_place, order, count: 0, most: waiting })))
    }

    /// `None`: the line is full.
    pub async fn turn(&self, place: Place) -> Option<Turn> {
        let turn = self.stand(place)?;
        turn.await.ok()
    }

    /// Whether somebody waits.
    pub fn is_busy(&self) -> bool {
        self.lock().count > 0
    }

    fn stand(&self, place: Place) -> Option<oneshot::Receiver<Turn>> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        if state.free > 0 {
            state.free -= 1;
            drop(state);
            // The receiver is here, so it is taken.
            let _ = sender.send(Turn(self.clone()));
            return Some(receiver);
        }
        if state.count >= state.most && !state.make_room(place) {
            return None;
        }
        state.count += 1;
        let State { waiting, order, .. } = &mut *state;
        waiting.entry(place).or_insert_with(|| {
            order.push_back(place);
            VecDeque::new()
        });
        if let Some(own) = waiting.get_mut(&place) {
            own.push_back(sender);
        }
        Some(receiver)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Sends the last one of the place that has most away, if that leaves it no fewer than `place` has then.
    fn make_room(&mut self, place: Place) -> bool {
        let own = self.waiting.get(&place).map_or(0, VecDeque::len);
        let Some((largest, most)) = self.waiting.iter().map(|(place, all)| (*place, all.len())).max_by_key(|all| all.1)
        else {
            return false;
        };
        if own + 1 >= most {
            return false;
        }
        if let Some(all) = self.waiting.get_mut(&largest) {
            all.pop_back();
            self.count -= 1;
        }
        true
    }

    /// Who is next; the place goes to the end of the order.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let place = self.order.pop_front()?;
        let own = self.waiting.get_mut(&place)?;
        let next = own.pop_front();
        if own.is_empty() {
            self.waiting.remove(&place);
        } else {
            self.order.push_back(place);
        }
        self.count -= usize::from(next.is_some());
        next
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        loop {
            let Some(next) = state.next() else {
                state.free += 1;
                return;
            };
            // Whoever has gone meanwhile is passed over.
            if next.is_closed() {
                continue;
            }
            drop(state);
            // If it goes just now, the turn comes back here by being dropped, once more.
            let _ = next.send(Turn(self.0.clone()));
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    fn place(n: u32) -> Place {
        Place::of(IpAddr::V4(Ipv4Addr::from_bits(n)))
    }

    /// In what order they get their turns, each giving it back at once.
    fn served(first: Turn, mut waiting: Vec<(u32, oneshot::Receiver<Turn>)>) -> Vec<u32> {
        let (mut turn, mut order) = (Some(first), Vec::new());
        while turn.take().is_some() {
            let next = waiting.iter_mut().find_map(|(who, receiver)| Some((*who, receiver.try_recv().ok()?)));
            if let Some((who, given)) = next {
                order.push(who);
                turn = Some(given);
            }
        }
        order
    }

    #[tokio::test]
    async fn a_place_waits_behind_itself() {
        let line = Line::new(1, 100);
        let first = line.turn(place(9)).await.unwrap();
        let mut waiting: Vec<_> = (0..20).map(|_| (1, line.stand(place(1)).unwrap())).collect();
        waiting.extend([2, 3, 2].map(|who| (who, line.stand(place(who)).unwrap())));
        assert!(line.is_busy());
        let order = served(first, waiting);
        assert_eq!(order[..7], [1, 2, 3, 1, 2, 1, 1]);
        assert_eq!(order.len(), 23);
        assert!(!line.is_busy());
        assert!(line.turn(place(1)).await.is_some(), "free again");
    }

    #[tokio::test]
    async fn in_a_full_line_the_place_with_most_gives_way() {
        let line = Line::new(1, 4);
        let first = line.turn(place(9)).await.unwrap();
        let mut flood: Vec<_> = (0..4).map(|_| line.stand(place(1)).unwrap()).collect();
        assert!(line.stand(place(1)).is_none(), "its own flood");
        let two: Vec<_> = (0..2).map(|_| line.stand(place(2)).unwrap()).collect();
        assert!(line.stand(place(2)).is_none(), "as many as the other");
        assert!(matches!(flood[3].try_recv(), Err(oneshot::error::TryRecvError::Closed)), "sent away");
        assert!(matches!(flood[1].try_recv(), Err(oneshot::error::TryRecvError::Empty)));
        // Who has gone is passed over, and the turn is lost for nobody.
        drop(flood);
        let order = served(first, two.into_iter().map(|receiver| (2, receiver)).collect());
        assert_eq!(order, [2, 2]);
        assert!(line.turn(place(1)).await.is_some());
    }
}
