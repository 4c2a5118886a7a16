"""Cron rules and time zones against others': croniter, and Python's zoneinfo.

croniter decides what an expression means, on the calendar and in zones away from changes of their
offset; what happens at such a change has no common rule, so there a search through every minute,
by the rules as they are documented, is the other side. The choice is by chance from a fixed seed.
"""
import datetime
import os
import random
import subprocess
import unittest
import zoneinfo

import peer

try:
    import croniter
except ImportError:
    croniter = None

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1)
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "Pacific/Apia",
         "Africa/Casablanca", "America/St_Johns", "Asia/Kathmandu", "Europe/Dublin",
         "America/Nuuk", "Antarctica/Troll", "Pacific/Kwajalein"]
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
WEEKDAYS = "SUN MON TUE WED THU FRI SAT".split()


def ask(lines, **env):
    """The probe's answers, a line each."""
    done = subprocess.run([peer.build_path("tests/schedule/schedule_probe")],
                          input="".join(line + "\n" for line in lines), text=True,
                          capture_output=True, timeout=60 * peer.SLOW, check=True,
                          env={**os.environ, **env})
    answers = done.stdout.splitlines()
    assert len(answers) == len(lines), done.stderr
    return answers


def seconds(naive):
    return (naive - EPOCH) // datetime.timedelta(seconds=1)


# ---- expressions by chance ----

def random_item(chance, low, high, names):
    def word(value):
        return names[value - low] if names and chance.random() < 0.5 else str(value)

    kind = chance.randrange(4)
    if kind == 0:
        return word(chance.randint(low, high))
    first, last = sorted(chance.randint(low, high) for _ in range(2))
    if kind == 1 or first == last:
        return f"{word(first)}-{word(last)}" if first < last else word(first)
    if kind == 2:
        return f"{first}-{last}/{chance.randint(1, max(1, last - first))}"
    return word(first)


def random_field(chance, low, high, names=None, stars=0.4):
    if chance.random() < stars:
        return "*" if chance.random() < 0.6 else f"*/{chance.randint(1, (high - low + 1) // 2)}"
    return ",".join(random_item(chance, low, high, names) for _ in range(chance.choice([1, 1, 3])))


def values(field, low, high, names=()):
    """What a field matches, as a set."""

    def number(word):
        return names.index(word) + low if word in names else int(word)

    found = set()
    for item in field.split(","):
        item, _, step = item.partition("/")
        first, _, last = item.partition("-")
        every = (range(low, high + 1) if item == "*" else
                 range(number(first), number(last or first) + 1))
        found.update(every[::int(step or 1)])
    return found


def random_expression(chance):
    """Fields as rill has them: five, or six with the second first."""
    day = random_field(chance, 1, 31, stars=0.6)
    weekday = random_field(chance, 0, 6, WEEKDAYS, stars=0.6)
    if "/" in day and day.startswith("*") and weekday != "*":
        weekday = "*"  # whether a star with a step counts as a star is where crons differ
    if "/" in weekday and weekday.startswith("*") and day != "*":
        weekday = "*"
    if len(values(weekday, 0, 6, WEEKDAYS)) == 7 or len(values(day, 1, 31)) == 31:
        day = weekday = "*"  # and whether a range of all is one
    fields = [random_field(chance, 0, 59), random_field(chance, 0, 23), day,
              random_field(chance, 1, 12, MONTHS, stars=0.7), weekday]
    if chance.random() < 0.3:
        fields.insert(0, random_field(chance, 0, 59))
    return " ".join(fields)


def for_croniter(expression):
    fields = expression.split()
    return " ".join(fields[1:] + fields[:1] if len(fields) == 6 else fields)


def random_moment(chance, first=1971, last=2090):
    span = (datetime.datetime(last, 1, 1) - datetime.datetime(first, 1, 1)).days * 86400
    return datetime.datetime(first, 1, 1) + datetime.timedelta(seconds=chance.randrange(span))


@unittest.skipUnless(croniter, "python3-croniter is not installed")
class Croniter(peer.TestCase):
    COUNT = 3

    def theirs(self, expression, start):
        """The next naive times, or None when it knows none."""
        try:
            found = croniter.croniter(for_croniter(expression), start,
                                      ret_type=datetime.datetime, max_years_between_matches=9)
            return [found.get_next() for _ in range(self.COUNT)]
        except croniter.CroniterBadDateError:
            return None

    def test_next_in_utc(self):
        chance = random.Random(1)
        cases = [(random_expression(chance), random_moment(chance)) for _ in range(3000)]
        answers = ask([f"next UTC {seconds(start)} {self.COUNT} {expression}"
                       for expression, start in cases])
        compared = 0
        for (expression, start), answer in zip(cases, answers):
            theirs = self.theirs(expression, start)
            if theirs is None:
                continue  # further away than it looks, or never
            compared += 1
            self.assertEqual(answer.split(), [str(seconds(each)) for each in theirs],
                             f"{expression} after {start}")
        self.assertGreater(compared, 2500)

    def test_next_in_zones(self):
        chance = random.Random(2)
        cases = [(random_expression(chance), chance.choice(ZONES), random_moment(chance))
                 for _ in range(1500)]
        lines = []
        for expression, zone, start in cases:
            moment = start.replace(tzinfo=zoneinfo.ZoneInfo(zone)).astimezone(UTC)
            lines.append(f"next {zone} {seconds(moment.replace(tzinfo=None))} 1 {expression}")
        compared = 0
        for (expression, zone, start), answer in zip(cases, ask(lines)):
            theirs = self.theirs(expression, start)
            if theirs is None or not self.is_calm(zone, start, theirs[0]):
                continue
            compared += 1
            moment = theirs[0].replace(tzinfo=zoneinfo.ZoneInfo(zone)).astimezone(UTC)
            self.assertEqual(answer, str(seconds(moment.replace(tzinfo=None))),
                             f"{expression} after {start} in {zone}")
        self.assertGreater(compared, 1000)

    @staticmethod
    def is_calm(zone, *naive_times):
        """Whether the offset is the same for some hours around each of the times."""
        info = zoneinfo.ZoneInfo(zone)
        return all(len({(each + datetime.timedelta(hours=hours)).replace(tzinfo=info).utcoffset()
                        for hours in (-30, -3, 0, 3, 30)}) == 1 for each in naive_times)


# ---- zones ----

def transitions(name, first, last):
    """The moments (seconds) in a range of years at which a zone's offset changes."""
    info = zoneinfo.ZoneInfo(name)

    def offset(moment):
        return (datetime.datetime.fromtimestamp(0, UTC) +
                datetime.timedelta(seconds=moment)).astimezone(info).utcoffset()

    low = seconds(datetime.datetime(first, 1, 1))
    end = seconds(datetime.datetime(last, 1, 1))
    while low < end:
        high = low + 14 * 86400
        if offset(low) != offset(high):
            left, right = low, high
            while right - left > 1:
                middle = (left + right) // 2
                left, right = (middle, right) if offset(middle) == offset(left) else (left, middle)
            yield right
        low = high


def civil_line(name, moment):
    """What zoneinfo shows at a moment, in the probe's form, and the aware time."""
    at = (datetime.datetime(1970, 1, 1, tzinfo=UTC) +
          datetime.timedelta(seconds=moment)).astimezone(zoneinfo.ZoneInfo(name))
    offset = at.utcoffset() // datetime.timedelta(seconds=1)
    return (f"{at.year} {at.month} {at.day} {at.hour} {at.minute} {at.second} {offset} "
            f"{int(bool(at.dst()))} {at.fold} {at.tzname()[:7]}")


class Zones(peer.TestCase):
    def check_civil(self, cases):
        answers = ask([f"civil {name} {moment}" for name, moment in cases])
        for (name, moment), answer in zip(cases, answers):
            self.assertEqual(answer, civil_line(name, moment), f"{name} at {moment}")

    def test_every_zone_at_any_time(self):
        chance = random.Random(3)
        names = sorted(zoneinfo.available_timezones())
        self.assertGreater(len(names), 300)
        self.check_civil([(name, seconds(random_moment(chance, *years)))
                          for name in names
                          for years in [(1902, 1970), (1970, 2037), (2037, 2600)]
                          for _ in range(12)])

    def test_around_the_changes(self):
        cases = []
        for name in ZONES:
            for moment in [*transitions(name, 1975, 2060), *transitions(name, 9990, 9998)]:
                cases += [(name, moment + by) for by in (-7200, -1, 0, 1, 1799, 3599, 3600)]
        self.assertGreater(len(cases), 3000)
        self.check_civil(cases)

    def test_civil_time_to_moments(self):
        chance = random.Random(4)
        cases = []
        for name in ZONES:
            info = zoneinfo.ZoneInfo(name)
            for moment in transitions(name, 1975, 2060):
                shown = (datetime.datetime(1970, 1, 1, tzinfo=UTC) + datetime.timedelta(
                    seconds=moment + chance.randint(-90000, 90000))).astimezone(info)
                naive = shown.replace(tzinfo=None, fold=0)
                near = naive + datetime.timedelta(seconds=chance.randint(-5400, 5400))
                cases += [(name, near), (name, random_moment(chance, 1905, 2500))]
        lines = [f"time {name} {at.year} {at.month} {at.day} {at.hour} {at.minute} {at.second} "
                 f"{again}" for name, at in cases for again in (0, 1)]
        answers = ask(lines)
        kinds = set()
        for index, (name, naive) in enumerate(cases):
            info = zoneinfo.ZoneInfo(name)
            both = [seconds(naive.replace(tzinfo=info, fold=fold).astimezone(UTC)
                            .replace(tzinfo=None)) for fold in (0, 1)]
            shown = [(datetime.datetime(1970, 1, 1, tzinfo=UTC) + datetime.timedelta(seconds=each))
                     .astimezone(info).replace(tzinfo=None, fold=0) == naive for each in both]
            kind = 2 if not any(shown) else int(both[0] != both[1])
            kinds.add(kind)
            for again in (0, 1):
                expected = f"{kind} {both[again]}"
                if kind == 2:
                    found = answers[2 * index + again].split()
                    self.assertEqual(found[0], "2", f"{name} {naive}")
                    self.check_end_of_gap(name, naive, int(found[1]))
                    continue
                self.assertEqual(answers[2 * index + again], expected, f"{name} {naive} {again}")
        self.assertEqual(kinds, {0, 1, 2})

    def check_end_of_gap(self, name, naive, moment):
        info = zoneinfo.ZoneInfo(name)
        before, after = ((datetime.datetime(1970, 1, 1, tzinfo=UTC) + datetime.timedelta(
            seconds=moment + by)).astimezone(info).replace(tzinfo=None) for by in (-1, 0))
        self.assertTrue(before < naive < after, f"{name} {naive}: {before}, {after}")


# ---- daylight saving ----

class Matcher:
    """An expression of five fields by brute force: sets of numbers, no star with a step in the
    days."""

    RANGES = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)]

    def __init__(self, expression):
        self.fields = expression.split()
        self.sets = [values(field, *span) for field, span in zip(self.fields, self.RANGES)]
        self.every_hour = len(self.sets[1]) == 24
        self.repeats = self.every_hour or self.fields[0].startswith("*")

    def __call__(self, at):
        minute, hour, day, month, weekday = self.sets
        days = [at.day in day, (at.weekday() + 1) % 7 in weekday]
        stars = "*" in (self.fields[2][0], self.fields[4][0])
        return (at.minute in minute and at.hour in hour and at.month in month and
                (all(days) if stars else any(days)))


def brute_force(expression, name, begin, end):
    """All moments in [begin, end) at which it is due, minute by minute."""
    info, matches = zoneinfo.ZoneInfo(name), Matcher(expression)
    due, shown, last = [], set(), None
    for moment in range(begin - 93600, end, 60):
        at = (datetime.datetime(1970, 1, 1, tzinfo=UTC) +
              datetime.timedelta(seconds=moment)).astimezone(info).replace(tzinfo=None, fold=0)
        run = matches(at) and (matches.repeats or at not in shown)
        if last is not None and not matches.every_hour:
            missing = last + datetime.timedelta(minutes=1)
            while missing < at:
                run = run or (matches(missing) and missing not in shown)
                missing += datetime.timedelta(minutes=1)
        shown.add(at)
        last = at if last is None else max(at, last)
        if run and moment >= begin:
            due.append(moment)
    return due


class DaylightSaving(peer.TestCase):
    def test_every_minute_around_changes(self):
        chance = random.Random(5)
        changes = []
        for name in ZONES:
            known = [moment for moment in transitions(name, 1990, 2045) if moment % 60 == 0]
            changes += [(name, moment) for moment in chance.sample(known, min(6, len(known)))]
        changes.append(("Pacific/Apia", 1325239200))
        cases = []
        for name, moment in changes:
            for _ in range(2):
                minute = chance.choice(["*/10", "30", "15", "0", "*/30", "5,45"])
                hour = chance.choice(["*", "*", "1", "2", "3", "1-3", "*/2", "0", "23", "2,4"])
                day = chance.choice(["*", "*", "*", str(chance.randint(1, 31))])
                cases.append((f"{minute} {hour} {day} * *", name, moment))
        cases.append(("30 2 * * 5", "Pacific/Apia", 1325239200))
        begin, end = -36 * 3600, 40 * 3600
        answers = ask([f"next {name} {moment + begin - 1} 500 {expression}"
                       for expression, name, moment in cases])
        found = 0
        for (expression, name, moment), answer in zip(cases, answers):
            ours = [int(word) for word in answer.split() if int(word) < moment + end]
            theirs = brute_force(expression, name, moment + begin, moment + end)
            self.assertEqual(ours, theirs, f"{expression} in {name} around {moment}")
            found += len(theirs)
        self.assertGreater(found, 500)


if __name__ == "__main__":
    peer.main()
