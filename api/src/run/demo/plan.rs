//! What happens in the demo, and when: post groups and the steps of their lives, decided from a seed, a scale and a
//! day. Nothing is done here, and nothing depends on how fast or in which order it is done.

use chrono::{DateTime, Datelike, NaiveTime, TimeDelta, TimeZone, Utc, Weekday};
use chrono_tz::Tz;
use palaver_domain::channels::Network;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::{
    cast::{COMPOSERS, FORGETFUL, MEMBERS, Member, OUTLETS, Outlet},
    crews::{sees, sees_all},
    script,
};

pub(super) const POSTS_AT_SCALE_1: usize = 400;
/// Posts whose outcome nobody knows. They need a person each, so there are as many at any scale.
const LOST_POSTS: usize = 3;
/// Channels, and so posts, of one group.
const OUTLETS_PER_GROUP: [(usize, u32); 4] = [(1, 50), (2, 30), (3, 15), (4, 5)];

/// How far publish times reach into the past and the future.
const DAYS_BACK: i64 = 120;
const DAYS_AHEAD: i64 = 30;
/// When the account was opened; the oldest post is composed after that.
const DAYS_OPEN: i64 = 140;
/// The first publish time to come. Whenever in the day the demo is filled, it lies ahead.
const DAYS_AHEAD_MIN: i64 = 2;
/// What a manager schedules is composed this long before it is due, at least.
const LEAD_HOURS_MIN: i64 = 2;
/// What others must approve takes longer.
const APPROVED_LEAD_HOURS_MIN: i64 = 56;
const LEAD_HOURS_MAX: i64 = 168;
/// Nothing past is due later than this before the day begins, so that every outcome is past as well.
const PAST_HOURS_MIN: i64 = 7;
/// A session that had to wait longer for its author comes to nothing but a draft.
const DELAY_MINUTES_MAX: i64 = 30;

/// Everything that happens.
pub(super) struct Plan {
    pub opened: DateTime<Utc>,
    pub groups: Vec<Group>,
    /// In order of time, all before the day.
    pub steps: Vec<Step>,
}

/// Posts that are composed together.
pub(super) struct Group {
    /// As in [`MEMBERS`].
    pub author: usize,
    /// As in [`OUTLETS`]; one post each.
    pub outlets: Vec<usize>,
    pub publish_time: Option<DateTime<Utc>>,
    /// Between the publish times of one post and the next.
    pub stagger: TimeDelta,
}

impl Group {
    pub fn publish_time_of(&self, post: usize) -> Option<DateTime<Utc>> {
        self.publish_time.map(|time| time + self.stagger * i32::try_from(post).unwrap_or_default())
    }
}

/// One thing that somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub at: DateTime<Utc>,
    pub group: usize,
    /// Its place in the life of its group.
    pub number: u64,
    /// As in [`MEMBERS`]. What the publisher does, it does for the author.
    pub actor: usize,
    pub action: Action,
}

/// A post is named by its place in the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Compose,
    Write { post: usize },
    SaveGroup,
    ScheduleGroup,
    PublishGroup,
    DropGroup,
    Suggest { post: usize },
    Approve { post: usize },
    Reject { post: usize },
    Revise { post: usize },
    Comment { post: usize },
    Postpone { post: usize, to: DateTime<Utc> },
    Schedule { post: usize },
    Unschedule { post: usize },
    Publish { post: usize, fate: Fate },
}

impl Action {
    /// Whether it needs the author's workbench, which holds one group at a time.
    pub const fn is_composing(self) -> bool {
        matches!(
            self,
            Self::Compose
                | Self::Write { .. }
                | Self::SaveGroup
                | Self::ScheduleGroup
                | Self::PublishGroup
                | Self::DropGroup
        )
    }
}

/// What comes of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Accepted,
    Refused,
    /// It is taken up too late, and not sent any more.
    Overdue,
    /// The network never answers.
    Lost,
}

/// What becomes of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    Published,
    PublishedAtOnce,
    Refused,
    RefusedAndRepeated,
    Overdue,
    Lost,
    Scheduled,
    AwaitingApproval,
    SentBack,
    Draft,
    Withdrawn,
    Dropped,
    Composing,
}

/// Of a thousand groups. Those that are not here are made in fixed numbers.
const COURSES: [(Course, u32); 11] = [
    (Course::Published, 690),
    (Course::PublishedAtOnce, 30),
    (Course::Refused, 20),
    (Course::RefusedAndRepeated, 20),
    (Course::Overdue, 10),
    (Course::Scheduled, 105),
    (Course::AwaitingApproval, 45),
    (Course::SentBack, 20),
    (Course::Draft, 40),
    (Course::Withdrawn, 10),
    (Course::Dropped, 10),
];

/// What chance is needed for. Each has its own, so no draw here moves another there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Courses,
    Sketch,
    Script,
    Opening,
    Ids,
    Doing,
    Message,
    Tag,
    Category,
}

/// Chance for one of those that have a purpose in common.
pub(super) fn chance(seed: u64, purpose: Purpose, number: u64) -> StdRng {
    StdRng::seed_from_u64(mixed(seed, purpose as u64, number))
}

/// A seed of its own for each of three numbers in this order (the finalizer of SplitMix64, once for each part).
pub(super) fn mixed(first: u64, second: u64, third: u64) -> u64 {
    [first, second, third].into_iter().fold(0, |state: u64, part| {
        let mut mix = (state ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix = (mix ^ (mix >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mix = (mix ^ (mix >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mix ^ (mix >> 31)
    })
}

/// A choice by weight; the last one when there is none.
fn weighted<T: Copy>(rng: &mut StdRng, choices: &[(T, u32)]) -> Option<T> {
    choices.choose_weighted(rng, |choice| choice.1).ok().map(|choice| choice.0)
}

/// A group before its author has found the time for it.
struct Sketch {
    group: Group,
    course: Course,
    start: DateTime<Utc>,
}

impl Plan {
    /// The same for the same arguments; `today` is the beginning of a day.
    pub fn new(seed: u64, scale: u32, today: DateTime<Utc>) -> Self {
        let mut sketches = sketches(seed, scale, today);
        // Stable: groups that start together keep their order.
        sketches.sort_by_key(|sketch| sketch.start);
        let opened = today - TimeDelta::days(DAYS_OPEN);
        let mut free_from = [opened; MEMBERS.len()];
        let mut groups = Vec::with_capacity(sketches.len());
        let mut steps = Vec::new();
        for Sketch { group, course, start } in sketches {
            let free = free_from.get_mut(group.author);
            let begin = free.as_ref().map_or(start, |free| start.max(**free));
            let late = begin - start > TimeDelta::minutes(DELAY_MINUTES_MAX);
            let course = if late && course != Course::Composing { Course::Draft } else { course };
            let end = script::write(seed, scale, today, (groups.len(), &group), course, begin, &mut steps);
            if let Some(free) = free {
                *free = end + TimeDelta::seconds(1);
            }
            groups.push(group);
        }
        steps.sort_by_key(|step| (step.at, step.group, step.number));
        Self { opened, groups, steps }
    }

    pub fn posts(&self) -> usize {
        self.groups.iter().map(|group| group.outlets.len()).sum()
    }
}

fn sketches(seed: u64, scale: u32, today: DateTime<Utc>) -> Vec<Sketch> {
    let mut sketches = Vec::new();
    let mut posts = 0;
    let posts_wanted = POSTS_AT_SCALE_1 * usize::try_from(scale).unwrap_or(usize::MAX);
    let mut add = |course, author: Option<usize>| {
        let mut rng = chance(seed, Purpose::Sketch, sketches.len() as u64);
        let sketch = sketch(&mut rng, course, author, today);
        posts += sketch.group.outlets.len();
        sketches.push(sketch);
        posts < posts_wanted
    };
    for (course, _) in COURSES {
        add(course, None);
    }
    for _ in 0..LOST_POSTS {
        add(Course::Lost, None);
    }
    for composer in COMPOSERS {
        add(Course::Composing, Some(composer));
    }
    let mut courses = chance(seed, Purpose::Courses, 0);
    while add(weighted(&mut courses, &COURSES).unwrap_or(Course::Published), None) {}
    sketches
}

fn sketch(rng: &mut StdRng, course: Course, author: Option<usize>, today: DateTime<Utc>) -> Sketch {
    let author = author.unwrap_or_else(|| author_for(rng, course));
    let outlets = if course == Course::Lost { vec![FORGETFUL] } else { outlets(rng, course, author) };
    let zone: Tz = MEMBERS.get(author).and_then(|member| member.zone.parse().ok()).unwrap_or(Tz::UTC);
    let publish_time = publish_time(rng, course, zone, today);
    let stagger = TimeDelta::minutes(*[0, 0, 0, 15, 30].choose(rng).unwrap_or(&0));
    let start = match publish_time {
        _ if course == Course::Composing => today - TimeDelta::minutes(rng.gen_range(60..180)),
        Some(time) if time < today => {
            let manager = MEMBERS.get(author).is_some_and(Member::is_manager);
            let lead_hours_min = if manager { LEAD_HOURS_MIN } else { APPROVED_LEAD_HOURS_MIN };
            let wished = time - TimeDelta::hours(rng.gen_range(lead_hours_min..=LEAD_HOURS_MAX));
            let start = working_time(rng, wished);
            if time - start < TimeDelta::hours(lead_hours_min) {
                working_time(rng, wished - TimeDelta::days(1))
            } else {
                start
            }
        }
        Some(_) => {
            let days = rng.gen_range(3..=10);
            working_time(rng, today - TimeDelta::days(days))
        }
        None => {
            let days = rng.gen_range(2..=DAYS_BACK);
            working_time(rng, today - TimeDelta::days(days))
        }
    };
    Sketch { group: Group { author, outlets, publish_time, stagger }, course, start }
}

fn author_for(rng: &mut StdRng, course: Course) -> usize {
    let can = |member: &Member| match course {
        Course::PublishedAtOnce | Course::Withdrawn => member.is_manager(),
        Course::AwaitingApproval | Course::SentBack => member.writes() && !member.is_manager(),
        Course::Lost => member.writes() && sees_all(member, &[FORGETFUL]),
        _ => member.writes(),
    };
    let authors: Vec<usize> = (0..MEMBERS.len()).filter(|&at| MEMBERS.get(at).is_some_and(can)).collect();
    authors.choose(rng).copied().unwrap_or_default()
}

fn outlets(rng: &mut StdRng, course: Course, author: usize) -> Vec<usize> {
    // People who publish by hand, as some stories on Instagram are, refuse nothing.
    let may_be_refused = matches!(course, Course::Refused | Course::RefusedAndRepeated);
    let usable = |outlet: &Outlet| {
        let fits = !may_be_refused || !matches!(outlet.network, Network::Placeholders | Network::InstagramBusiness);
        fits && MEMBERS.get(author).is_some_and(|author| sees(author, outlet))
    };
    let usual: Vec<usize> =
        (0..OUTLETS.len()).filter(|&at| at != FORGETFUL && OUTLETS.get(at).is_some_and(usable)).collect();
    let number = weighted(rng, &OUTLETS_PER_GROUP).unwrap_or(1);
    let mut outlets: Vec<usize> = usual.choose_multiple(rng, number).copied().collect();
    outlets.sort_unstable();
    outlets
}

fn publish_time(rng: &mut StdRng, course: Course, zone: Tz, today: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let days = match course {
        Course::Published | Course::Refused | Course::RefusedAndRepeated | Course::Overdue => {
            -rng.gen_range(1..=DAYS_BACK)
        }
        Course::Lost => -rng.gen_range(1..=6),
        Course::Scheduled | Course::AwaitingApproval | Course::SentBack | Course::Withdrawn => {
            rng.gen_range(DAYS_AHEAD_MIN..=DAYS_AHEAD)
        }
        Course::PublishedAtOnce => return None,
        Course::Draft | Course::Dropped | Course::Composing if rng.gen_bool(0.4) => return None,
        Course::Draft | Course::Dropped | Course::Composing => rng.gen_range(DAYS_AHEAD_MIN..=DAYS_AHEAD),
    };
    let mut date = (today + TimeDelta::days(days)).date_naive();
    if days < 0 && is_weekend(date) && rng.gen_bool(0.6) {
        date -= TimeDelta::days(2);
    }
    let hour = *[8, 9, 9, 10, 11, 12, 12, 13, 15, 17, 17, 18, 19, 20].choose(rng).unwrap_or(&12);
    let minute = if rng.gen_bool(0.85) { 15 * rng.gen_range(0..4) } else { rng.gen_range(0..60) };
    let local = date.and_time(NaiveTime::from_hms_opt(hour, minute, 0).unwrap_or_default());
    // No zone of the demo's people changes its clocks at these hours.
    let time = zone.from_local_datetime(&local).earliest().map_or_else(|| local.and_utc(), |time| time.to_utc());
    let latest = today - TimeDelta::hours(PAST_HOURS_MIN);
    Some(if days < 0 && time > latest { time - TimeDelta::days(1) } else { time })
}

/// A time on or before the day of `wished`, while people work.
fn working_time(rng: &mut StdRng, wished: DateTime<Utc>) -> DateTime<Utc> {
    let back = match wished.weekday() {
        Weekday::Sat => 1,
        Weekday::Sun => 2,
        _ => 0,
    };
    let midnight = wished.date_naive().and_time(NaiveTime::MIN).and_utc();
    midnight - TimeDelta::days(back) + TimeDelta::seconds(rng.gen_range(7 * 3_600..17 * 3_600))
}

fn is_weekend(date: chrono::NaiveDate) -> bool {
    matches!(date.weekday(), Weekday::Sat | Weekday::Sun)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn day(text: &str) -> DateTime<Utc> {
        format!("{text}T00:00:00Z").parse().unwrap()
    }

    #[test]
    fn the_same_arguments_make_the_same_plan_and_others_another() {
        let steps = |seed, scale| Plan::new(seed, scale, day("2026-06-10")).steps;
        assert_eq!(steps(1, 1), steps(1, 1));
        assert_ne!(steps(1, 1), steps(2, 1));
        let posts = Plan::new(1, 3, day("2026-06-10")).posts();
        assert!((1_200..1_210).contains(&posts), "{posts}");
    }

    /// On days around clock changes, at the turn of the year, and on a leap day.
    #[test]
    fn everything_happens_before_the_day_in_an_order_that_is_possible() {
        for (seed, today) in
            [(1, "2026-03-30"), (2, "2026-11-02"), (3, "2027-01-01"), (4, "2028-02-29"), (5, "2026-06-14")]
        {
            for scale in [1, 10] {
                check(&Plan::new(seed, scale, day(today)), day(today));
            }
        }
        check(&Plan::new(6, 200, day("2026-07-01")), day("2026-07-01"));
    }

    fn check(plan: &Plan, today: DateTime<Utc>) {
        assert!(plan.steps.windows(2).all(|pair| pair[0].at <= pair[1].at));
        let mut workbenches: BTreeMap<usize, usize> = BTreeMap::new();
        let mut scheduled: BTreeSet<(usize, usize)> = BTreeSet::new();
        for step in &plan.steps {
            let group = &plan.groups[step.group];
            assert!(sees_all(&MEMBERS[step.actor], &group.outlets), "{step:?}");
            assert!(step.at < today && step.at > plan.opened + TimeDelta::days(2), "{step:?}");
            if step.action.is_composing() {
                assert_eq!(step.actor, group.author);
                match step.action {
                    Action::Compose => assert_eq!(workbenches.insert(group.author, step.group), None, "{step:?}"),
                    Action::Write { .. } => assert_eq!(workbenches.get(&group.author), Some(&step.group), "{step:?}"),
                    _ => assert_eq!(workbenches.remove(&group.author), Some(step.group), "{step:?}"),
                }
            }
            let due = |post: usize| group.publish_time_of(post).unwrap();
            match step.action {
                Action::ScheduleGroup => {
                    assert!(MEMBERS[step.actor].is_manager());
                    for post in 0..group.outlets.len() {
                        assert!(step.at < due(post), "{step:?}");
                        scheduled.insert((step.group, post));
                    }
                }
                Action::PublishGroup => scheduled.extend((0..group.outlets.len()).map(|post| (step.group, post))),
                Action::Approve { post } => {
                    assert!(MEMBERS[step.actor].is_manager() && step.actor != group.author);
                    assert!(step.at < due(post), "{step:?}");
                    scheduled.insert((step.group, post));
                }
                Action::Schedule { post } => assert!(scheduled.insert((step.group, post)), "{step:?}"),
                Action::Unschedule { post } => assert!(scheduled.remove(&(step.group, post)), "{step:?}"),
                Action::Publish { post, fate } => {
                    assert!(scheduled.remove(&(step.group, post)), "{step:?}");
                    assert_eq!(fate == Fate::Lost, group.outlets[post] == FORGETFUL);
                }
                _ => {}
            }
        }
        for (group, post) in scheduled {
            let due = plan.groups[group].publish_time_of(post).unwrap();
            assert!(due > today + TimeDelta::hours(30), "what is still scheduled is due {due}");
        }
        assert_eq!(workbenches.into_keys().collect::<Vec<_>>(), COMPOSERS);
    }
}
