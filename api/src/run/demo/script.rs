//! The steps of one group's life: who does what to its posts, and how long it takes them.

use std::ops::RangeInclusive;

use chrono::{DateTime, TimeDelta, Utc};
use rand::{Rng, rngs::StdRng, seq::SliceRandom};

use super::{
    cast::{MEMBERS, Member},
    crews::sees_all,
    plan::{Action, Course, Fate, Group, Purpose, Step, chance},
};

/// The longest pause within a session at scale 1. Authors of larger demos have more to do.
const SESSION_PAUSE_SECONDS_MAX: i64 = 600;
const SESSION_PAUSE_SECONDS_MIN: i64 = 4;
const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;

struct Script<'a> {
    rng: StdRng,
    group: usize,
    made: &'a Group,
    steps: &'a mut Vec<Step>,
    first: usize,
    now: DateTime<Utc>,
    today: DateTime<Utc>,
}

/// Writes the steps of a group whose author begins at `begin`, and returns when its author is done composing.
pub(super) fn write(
    seed: u64,
    scale: u32,
    today: DateTime<Utc>,
    (number, group): (usize, &Group),
    course: Course,
    begin: DateTime<Utc>,
    steps: &mut Vec<Step>,
) -> DateTime<Utc> {
    let rng = chance(seed, Purpose::Script, number as u64);
    let first = steps.len();
    let mut script = Script { rng, group: number, made: group, steps, first, now: begin, today };
    let pause_max = (SESSION_PAUSE_SECONDS_MAX / i64::from(scale)).max(SESSION_PAUSE_SECONDS_MIN);
    let session = pause_max / 4..=pause_max;
    script.act(Action::Compose);
    for post in 0..group.outlets.len() {
        script.pause(session.clone());
        script.act(Action::Write { post });
    }
    script.pause(session);
    script.go_on(course)
}

impl Script<'_> {
    fn pause(&mut self, seconds: RangeInclusive<i64>) {
        self.now += TimeDelta::seconds(self.rng.gen_range(seconds));
    }

    fn act(&mut self, action: Action) {
        self.act_as(self.made.author, action);
    }

    fn act_as(&mut self, actor: usize, action: Action) {
        self.act_at(self.now, actor, action);
    }

    fn act_at(&mut self, at: DateTime<Utc>, actor: usize, action: Action) {
        let number = (self.steps.len() - self.first) as u64;
        self.steps.push(Step { at, group: self.group, number, actor, action });
    }

    /// Somebody other than the author, who sees all of the group.
    fn other(&mut self, can: fn(&Member) -> bool) -> usize {
        let (author, outlets) = (self.made.author, &self.made.outlets);
        let others = MEMBERS.iter().enumerate().filter(|(at, member)| {
            let somebody_else = *at != author;
            somebody_else && can(member) && sees_all(member, outlets)
        });
        let others: Vec<usize> = others.map(|(at, _)| at).collect();
        others.choose(&mut self.rng).copied().unwrap_or(author)
    }

    /// From the end of the session on.
    fn go_on(mut self, course: Course) -> DateTime<Utc> {
        let done = self.now;
        match course {
            Course::Composing => return self.today,
            Course::Dropped => self.act(Action::DropGroup),
            Course::PublishedAtOnce => {
                self.act(Action::PublishGroup);
                for post in 0..self.made.outlets.len() {
                    self.publish(post, self.now, Fate::Accepted);
                }
            }
            Course::Draft => {
                self.act(Action::SaveGroup);
                self.discuss(0.5);
            }
            Course::AwaitingApproval => {
                self.act(Action::SaveGroup);
                self.discuss(0.4);
                self.suggest_all();
            }
            Course::SentBack => {
                self.act(Action::SaveGroup);
                self.suggest_all();
                self.reject();
            }
            Course::Scheduled => self.schedule(),
            Course::Withdrawn => {
                self.schedule();
                self.pause(10 * MINUTE..=5 * HOUR);
                let manager = self.other(Member::is_manager);
                self.act_as(manager, Action::Unschedule { post: 0 });
            }
            Course::Published | Course::Refused | Course::RefusedAndRepeated | Course::Overdue | Course::Lost => {
                self.schedule();
                for post in 0..self.made.outlets.len() {
                    self.come_due(post, course);
                }
            }
        }
        done
    }

    /// A manager schedules; what others compose is suggested, and approved, at times on the second try.
    fn schedule(&mut self) {
        if MEMBERS.get(self.made.author).is_some_and(Member::is_manager) {
            self.act(Action::ScheduleGroup);
            if self.rng.gen_bool(0.1) {
                self.pause(2 * MINUTE..=20 * MINUTE);
                self.act(Action::Revise { post: 0 });
            }
            return;
        }
        self.act(Action::SaveGroup);
        self.discuss(0.3);
        self.suggest_all();
        if self.rng.gen_bool(0.15) {
            self.reject();
            self.pause(HOUR..=6 * HOUR);
            self.act(Action::Revise { post: 0 });
            self.pause(MINUTE..=10 * MINUTE);
            self.act(Action::Suggest { post: 0 });
        }
        self.pause(HOUR..=18 * HOUR);
        let manager = self.other(Member::is_manager);
        for post in 0..self.made.outlets.len() {
            self.pause(20..=3 * MINUTE);
            self.act_as(manager, Action::Approve { post });
        }
    }

    fn suggest_all(&mut self) {
        self.pause(5 * MINUTE..=50 * MINUTE);
        for post in 0..self.made.outlets.len() {
            self.pause(10..=2 * MINUTE);
            self.act(Action::Suggest { post });
        }
    }

    fn reject(&mut self) {
        self.pause(HOUR..=6 * HOUR);
        let manager = self.other(Member::is_manager);
        self.act_as(manager, Action::Reject { post: 0 });
    }

    /// One or two comments, or none.
    fn discuss(&mut self, probability: f64) {
        for probability in [probability, probability / 2.0] {
            if !self.rng.gen_bool(probability) {
                return;
            }
            self.pause(10 * MINUTE..=2 * HOUR);
            let post = self.rng.gen_range(0..self.made.outlets.len());
            let other = self.other(Member::writes);
            self.act_as(other, Action::Comment { post });
        }
    }

    fn come_due(&mut self, post: usize, course: Course) {
        let Some(due) = self.made.publish_time_of(post) else { return };
        match course {
            // One network's reasons need not be another's.
            Course::Refused | Course::RefusedAndRepeated if post == 0 || self.rng.gen_bool(0.4) => {
                self.publish(post, due, Fate::Refused);
                if course == Course::RefusedAndRepeated {
                    self.repeat(post, due);
                }
            }
            Course::Overdue => {
                let late = TimeDelta::minutes(self.rng.gen_range(65..300));
                self.publish(post, due + late, Fate::Overdue);
            }
            Course::Lost => self.publish(post, due, Fate::Lost),
            _ => {
                self.publish(post, due, Fate::Accepted);
                let at = due + TimeDelta::seconds(self.rng.gen_range(HOUR..=20 * HOUR));
                if at < self.today && self.rng.gen_bool(0.08) {
                    let other = self.other(Member::writes);
                    self.act_at(at, other, Action::Comment { post });
                }
            }
        }
    }

    /// A manager looks at a post that was refused and sets a new time, provided that there is one before today.
    fn repeat(&mut self, post: usize, refused: DateTime<Utc>) {
        let seen = refused + TimeDelta::seconds(self.rng.gen_range(30 * MINUTE..=8 * HOUR));
        let to = seen + TimeDelta::hours(self.rng.gen_range(2..=20));
        if to + TimeDelta::minutes(5) >= self.today {
            return;
        }
        let manager = self.other(Member::is_manager);
        self.act_at(seen, manager, Action::Postpone { post, to });
        self.act_at(seen + TimeDelta::seconds(40), manager, Action::Schedule { post });
        self.publish(post, to, Fate::Accepted);
    }

    /// The publisher takes up what is due within a moment.
    fn publish(&mut self, post: usize, due: DateTime<Utc>, fate: Fate) {
        let at = due + TimeDelta::milliseconds(self.rng.gen_range(50..1_500));
        self.act_at(at, self.made.author, Action::Publish { post, fate });
    }
}
