//! Whether a token can be reached: removed for a time, or a group of which members died.

use cryptoki_sys::*;
use std::time::{Duration, Instant};

#[derive(Default)]
pub(crate) struct Presence {
    removed: Option<Removal>,
    /// The members of an HA group, and whether each lives; none for a token alone.
    members: Vec<bool>,
    /// All members were lost, and `C_Initialize` did not come since, which is what Luna's basic
    /// recovery waits for.
    down: bool,
    pause_ends: Option<Instant>,
}

enum Removal {
    Until(Instant),
    UntilToldOtherwise,
}

impl Presence {
    pub(crate) fn remove(&mut self, time: Option<Duration>) {
        self.removed = Some(match time {
            Some(time) => Removal::Until(Instant::now() + time),
            None => Removal::UntilToldOtherwise,
        });
    }

    pub(crate) fn put_back(&mut self) {
        self.removed = None;
    }

    pub(crate) fn set_members(&mut self, count: usize) {
        self.members = vec![true; count];
        self.down = false;
    }

    /// False if there is no such member, or it is in that state already.
    pub(crate) fn set_member(&mut self, index: usize, lives: bool) -> bool {
        let changed = self
            .members
            .get_mut(index)
            .is_some_and(|member| std::mem::replace(member, lives) != lives);
        self.down |= !self.members.is_empty() && !self.members.contains(&true);
        changed
    }

    pub(crate) fn pause(&mut self, time: Duration) {
        self.pause_ends = Some(Instant::now() + time);
    }

    /// What is left of the pause that a failover makes.
    pub(crate) fn pause_left(&self) -> Option<Duration> {
        let left = self.pause_ends?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// The member for the next session: the living ones in turn.
    pub(crate) fn member_for(&self, session: u64) -> Option<usize> {
        let living: Vec<_> = (0..self.members.len())
            .filter(|i| self.members[*i])
            .collect();
        let turn = usize::try_from(session).ok()?.checked_rem(living.len())?;
        living.get(turn).copied()
    }

    /// `C_Initialize` finds a group again of which a member is back.
    pub(crate) fn initialize(&mut self) {
        if self.members.contains(&true) {
            self.down = false;
        }
    }

    pub(crate) fn is_present(&self) -> bool {
        !self.is_removed() && !self.down
    }

    /// Whether a call with a session can reach the token.
    pub(crate) fn for_session(&self) -> crate::Result<()> {
        match (self.is_removed(), self.down) {
            (true, _) => Err(CKR_DEVICE_REMOVED),
            (_, true) => Err(CKR_DEVICE_ERROR),
            _ => Ok(()),
        }
    }

    /// Whether a call with a slot can reach the token.
    pub(crate) fn for_slot(&self) -> crate::Result<()> {
        match self.is_present() {
            true => Ok(()),
            false => Err(CKR_TOKEN_NOT_PRESENT),
        }
    }

    fn is_removed(&self) -> bool {
        match self.removed {
            None => false,
            Some(Removal::UntilToldOtherwise) => true,
            Some(Removal::Until(end)) => Instant::now() < end,
        }
    }
}
