#!/usr/bin/env python3
"""Runs several judges of tenant isolation over one corpus of schemas and counts alike for all of them.

    compare.py CORPUS [--ours PATH] [--splinter FILE] [--results FILE] [--only TEXT]

CORPUS has the folders `leaky`, `correct` and `latent`. A case is an SQL file: lines `--: ` are its TOML header, then
comes the schema and, after a line `--- fix`, the repair. The server is the one that PG* variables name; the user must
be a superuser, and the server should be of no other use: roles that a case creates are dropped with all that they own.

Needs Python 3.11 and `psql`. A tool that is not installed is skipped with a line that says so:
  pgrls, rlsgrid   Python packages, looked for where this script runs
  splinter         its `splinter.sql`, by --splinter
  ours             `novelfoundry-isolation`, by --ours
"""

import argparse
import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from dataclasses import asdict, dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import quote

DATABASE = "isolation_case"
KINDS = ("leaky", "correct", "latent")
LIMIT = 300  # seconds for one run of one tool


# ── the corpus ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Case:
    kind: str
    name: str
    why: str
    label: str  # the class of fault
    given: dict  # the [isolation] table
    expected: list  # the objects that have to be named
    schema: str
    fix: str


def read_case(path):
    lines = path.read_text().splitlines()
    header = tomllib.loads("\n".join(line[4:] for line in lines if line.startswith("--: ")))
    body = "\n".join(line for line in lines if not line.startswith("--:"))
    schema, _, fix = body.partition("--- fix")
    expected = [expect["object"] for expect in header.get("expect", [])]
    given = header.get("isolation", {})
    return Case(path.parent.name, path.stem, header["why"], header["class"], given, expected, schema, fix)


# ── the server ────────────────────────────────────────────────────────────────────────────────────────────────────────


def psql(sql, database=DATABASE, strict=True):
    """Runs statements; returns the rows of what they answer."""
    command = ["psql", "-X", "-q", "-t", "--csv", "-v", f"ON_ERROR_STOP={int(strict)}", "-d", database]
    done = subprocess.run(command, input=sql, capture_output=True, text=True, timeout=LIMIT)
    if strict and done.returncode:
        raise RuntimeError(done.stderr.strip())
    return list(csv.reader(io.StringIO(done.stdout)))


def roles():
    return {name for (name,) in psql("select rolname from pg_roles where rolname !~ '^pg_'", "postgres")}


def url(**more):
    """The address of the case's database."""
    query = {"host": os.environ.get("PGHOST", "127.0.0.1"), "port": os.environ.get("PGPORT", "5432"), **more}
    pairs = "&".join(f"{key}={quote(value, safe='')}" for key, value in query.items())
    return f"postgresql://{os.environ.get('PGUSER', 'postgres')}@/{DATABASE}?{pairs}"


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def clear(kept):
    """Drops the database of a case and every role that was not there before."""
    psql(f"drop database if exists {DATABASE} with (force)", "postgres")
    for role in sorted(roles() - kept):
        psql(f"drop owned by {quoted(role)} cascade; drop role {quoted(role)}", "postgres")


def load(case, repaired, kept):
    clear(kept)
    psql(f"create database {DATABASE}", "postgres")
    psql(case.schema)
    if repaired:
        psql(case.fix)


# ── what a user of any of the tools would know about the schema ───────────────────────────────────────────────────────


@dataclass
class Subject:
    schemas: list
    app_role: str
    acting: list  # the app's role and, where a request becomes a role of its own, those
    tenant_column: str
    settings: dict  # session settings that open the first tenant's context
    helpers: list  # functions without arguments that policies call
    known: set  # relations and functions, as schema.name
    shared: set  # tables that hold no tenant's rows: no tenant column and no row security


USER_SCHEMA = "nspname !~ '^pg_' and nspname <> 'information_schema'"
FIRST_OF_TYPE = {"uuid": "11111111-1111-4111-8111-111111111111", "int2": "1", "int4": "1", "int8": "1"}


def describe(case, kept):
    """Takes what the case says and works out the rest as a reader of the schema would."""
    schemas = [name for (name,) in psql(f"select nspname from pg_namespace where {USER_SCHEMA} order by 1")]
    app_role = case.given.get("app_role") or guess_role(kept)
    column = case.given.get("tenant_column") or guess_column()
    context = case.given.get("context")
    contexts = [context] if isinstance(context, str) else context or guess_context()
    tenant = (case.given.get("tenants") or [guess_tenant(column)])[0]
    principal = (case.given.get("principals") or [""])[0]
    existing = roles()
    acting = [app_role] + [role for role in case.given.get("principals", []) if role in existing]
    helpers = psql(f"""
        select distinct nspname || '.' || proname from pg_depend join pg_proc p on p.oid = refobjid
        join pg_namespace n on n.oid = pronamespace where classid = 'pg_policy'::regclass
        and refclassid = 'pg_proc'::regclass and pronargs = 0 and {USER_SCHEMA}""")
    known = psql(f"""
        select nspname || '.' || relname from pg_class join pg_namespace n on n.oid = relnamespace where {USER_SCHEMA}
        union select nspname || '.' || proname from pg_proc join pg_namespace n on n.oid = pronamespace
        where {USER_SCHEMA}""")
    shared = psql(f"""
        select nspname || '.' || relname from pg_class c join pg_namespace n on n.oid = relnamespace
        where relkind in ('r', 'p') and not relrowsecurity and {USER_SCHEMA} and not exists
          (select from pg_attribute a where a.attrelid = c.oid and attname = {literal(column)})""")
    return Subject(
        schemas, app_role, acting, column, settings_of(contexts, tenant, principal),
        [name for (name,) in helpers], {name for (name,) in known}, {name for (name,) in shared},
    )  # fmt: skip


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def guess_role(kept):
    """The login of the case that may use most of its relations."""
    logins = psql(f"""
        select rolname from pg_roles r, pg_class c join pg_namespace n on n.oid = relnamespace
        where rolcanlogin and not rolsuper and {USER_SCHEMA} and relkind in ('r', 'p', 'v', 'm')
        group by rolname, r.oid
        order by sum(has_any_column_privilege(r.oid, c.oid, 'select, insert, update')::int) desc, r.oid""")
    return next(name for (name,) in logins if name not in kept)


def guess_column():
    """The column that most of the protected tables have and their policies name."""
    columns = psql(f"""
        select attname from pg_policies join pg_namespace on nspname = schemaname
        join pg_class on relnamespace = pg_namespace.oid and relname = tablename
        join pg_attribute on attrelid = pg_class.oid and attnum > 0
        where {USER_SCHEMA} and concat(qual, ' ', with_check) ~ ('\\y' || attname || '\\y')
        group by attname order by count(distinct attrelid) desc, attname ~ '_id$' desc limit 1""")
    return columns[0][0] if columns else "tenant_id"


def guess_tenant(column):
    """A tenant that has rows, or one that fits the column."""
    tables = psql(f"""
        select format('%I.%I', nspname, relname), typname from pg_attribute join pg_class c on c.oid = attrelid
        join pg_namespace n on n.oid = relnamespace join pg_type t on t.oid = atttypid
        where relkind in ('r', 'p') and attname = {literal(column)} and {USER_SCHEMA} order by 1""")
    for table, _ in tables:
        rows = psql(f"select min({quoted(column)}::text) from {table}")
        if rows and rows[0] and rows[0][0]:
            return rows[0][0]
    return FIRST_OF_TYPE.get(tables[0][1], "a") if tables else "a"


def guess_context():
    """The setting that policies, or what they call, read most."""
    texts = psql(f"""
        select concat(qual, ' ', with_check) from pg_policies
        union all select prosrc from pg_proc join pg_namespace n on n.oid = pronamespace where {USER_SCHEMA}""")
    names = Counter(re.findall(r"current_setting\('([^']+)'", " ".join(text for (text,) in texts)))
    return [f"SET LOCAL {name} = '{{tenant}}'" for name, _ in names.most_common(1)]


def settings_of(contexts, tenant, principal):
    """Settings that statements `SET LOCAL name = 'value'` and `select set_config('name', 'value', …)` make."""
    settings = {}
    for statement in contexts:
        statement = statement.replace("{tenant}", tenant).replace("{principal}", principal)
        match = re.fullmatch(r"(?is)\s*set local ([\w.]+) = '(.*)'\s*", statement) or re.fullmatch(
            r"(?is)\s*select set_config\('([\w.]+)', '(.*)', \w+\)\s*", statement
        )
        if match:
            settings[match[1]] = match[2].replace("''", "'")
    return settings


# ── the tools ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Finding:
    mode: str
    rule: str
    level: str
    place: str
    text: str = ""


@dataclass
class Run:
    findings: list = field(default_factory=list)
    errors: list = field(default_factory=list)
    notes: dict = field(default_factory=dict)


def answer(run, arguments, code, output, complaint):
    """Reads the JSON that a tool printed; where it failed, keeps that as an error of the run."""
    if code in (0, 1):
        try:
            return json.loads(output)
        except json.JSONDecodeError as error:
            complaint = f"no JSON: {error}"
    run.errors.append(f"{' '.join(arguments[:3])}: exit {code}: {complaint.strip()[-300:]}")
    return {}


def program(run, *arguments):
    """Runs a program that prints JSON."""
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return answer(run, arguments[1:], "none", "", "out of time")
    return answer(run, arguments[1:], done.returncode, done.stdout, done.stderr or done.stdout)


def script(run, name, *arguments):
    """Runs the command of an installed Python package, without the second or so that its start takes."""
    from click.testing import CliRunner

    (entry,) = entry_points(group="console_scripts", name=name)
    done = CliRunner().invoke(entry.load(), arguments)
    return answer(run, (name, *arguments), done.exit_code, done.stdout, f"{done.stderr} {done.exception}")


def toml_list(values):
    return json.dumps(list(values), ensure_ascii=False)


AUTH = ("auth.uid", "auth.role", "auth.jwt", "current_setting")  # what pgrls knows by itself


def pgrls(case, subject, folder):
    """Lint (rules SEC and VIEW), the prover in all its modes, with the live probe where it has one, and the matrix."""
    names = [name for helper in subject.helpers for name in (helper, helper.split(".")[1])]
    low = toml_list(["PUBLIC", "anon", "authenticated", *subject.acting])
    identity = toml_list(sorted({subject.tenant_column, "user_id", "owner_id"}))
    lines = [f"[database]\nschemas = {toml_list(subject.schemas)}\n[lint]"]
    for rule in ("SEC004", "SEC026", "SEC030", "SEC035", "SEC038", "SEC040"):
        lines.append(f"[lint.rules.{rule}]\nauth_functions = {toml_list([*AUTH, *names])}")
        if rule in ("SEC030", "SEC040"):
            lines.append(f"identity_columns = {identity}")
        if rule == "SEC004":
            lines.append(f"anon_roles = {low}")
    lines.append(f"[lint.rules.SEC021]\nidentity_columns = {toml_list([subject.tenant_column])}")
    lines.append(f"[lint.rules.SEC044]\ngrantees = {low}")
    lines.append(f"[lint.rules.SEC047]\nlow_trust_roles = {low}")
    for rule in ("SEC049", "SEC053", "SEC054"):
        lines.append(f"[lint.rules.{rule}]\nschemas = {toml_list(subject.schemas)}\ngrantees = {low}")
    config = Path(folder, "pgrls.toml")
    config.write_text("\n".join(lines))
    proof = Path(folder, "proof.toml")
    proof.write_text("\n".join([*lines, f"[lint.rules.SEC042]\nanon_roles = {low}"]))
    base = ["--database-url", url(), "--format", "json", "--config"]

    run = Run()
    for found in script(run, "pgrls", "lint", *base, str(config)).get("violations", []):
        if found["rule_id"].startswith(("SEC", "VIEW")):
            run.findings.append(
                Finding("lint", found["rule_id"], found["severity"], found["location"], found["message"])
            )
    helpers = [part for name in names for part in ("--auth-function", name)]
    for mode in ("anon", "cross-tenant", "write", "escalation", "reachability"):
        probe = [] if mode == "reachability" else ["--probe"]
        arguments = ["verify", *base, str(proof), "--mode", mode, *probe, *helpers]
        for table in script(run, "pgrls", *arguments).get("tables", []):
            verdict = table.get("static_verdict") or table.get("verdict")
            if verdict == "leak" or table.get("agreement") in ("leak_confirmed", "mismatch"):
                text = table.get("detail") or table.get("note") or json.dumps(table.get("policies", ""))
                run.findings.append(Finding("verify", mode, "leak", table["table"], text))
    arguments = ["matrix", *base, str(config), "--roles", ",".join(subject.acting)]
    for row in script(run, "pgrls", *arguments).get("rows", []):
        for cell in row["access"].values():
            if cell["verdict"] == "open":
                run.findings.append(Finding("matrix", row["command"], "open", row["table"], cell["note"] or ""))
    return run


def rlsgrid(case, subject, folder):
    """`check` (seeds tenants of its own and probes) and the cells that `plan` calls unrestricted."""
    # It can open a context by claims of a token only. The context of one existing tenant is therefore set on its
    # connection, so that what it sees of the tenants it seeds is another tenant's; unless a trigger would stamp the
    # seeded rows with that tenant.
    stamped = psql("select 1 from pg_trigger where not tgisinternal and tgtype & 7 = 7")
    settings = {} if stamped else subject.settings
    escaped = {name: re.sub(r"([\\ ])", r"\\\1", value) for name, value in settings.items()}
    address = url(options=" ".join(f"-c {name}={value}" for name, value in escaped.items()))
    config = Path(folder, "rlsgrid.toml")
    config.write_text(
        f"[connection]\nurl = {json.dumps(address)}\nschema_search_path = {toml_list(subject.schemas)}\n"
        f'[tenancy]\nmode = "jwt"\njwt_shape = "individual"\ntenant_column = {json.dumps(subject.tenant_column)}\n'
        f'jwt_claims = {{ sub = "{{user_id}}", {json.dumps(subject.tenant_column)} = "{{tenant_id}}" }}\n'
        "[roles]\n" + "".join(f'{json.dumps(role)} = "app"\n' for role in subject.acting) + "[fuzz]\niterations = 300\n"
    )
    run = Run()
    tail = ["--config", str(config), "--json"]
    for cell in script(run, "rlsgrid", "plan", *tail).get("cells", []):
        if cell["expected"] == "unrestricted":
            place = f"{cell['schema']}.{cell['table']}"
            run.findings.append(Finding("plan", cell["operation"], "unrestricted", place, cell["reason"]))
    checked = script(run, "rlsgrid", "check", *tail)
    run.notes = {key: checked.get(key) for key in ("iterations", "skipped", "skip_reasons")}
    breaches = {(f"{b['schema']}.{b['table']}", b["operation"], b["detail"]) for b in checked.get("breaches", [])}
    for place, operation, detail in sorted(breaches):
        run.findings.append(Finding("check", operation, "breach", place, detail))
    return run


def splinter(case, subject, folder, sql=""):
    """The lints of the category SECURITY, with the app's role standing in for a signed-in user of the platform."""
    setup = f"set pgrst.db_schemas = {literal(','.join(subject.schemas))};\n"
    for role in ("anon", "authenticated"):
        if role not in roles():
            setup += f"create role {role} nologin;\n"
    for role in subject.acting:
        if role != "authenticated":
            setup += f"grant {quoted(role)} to authenticated;\n"
    run = Run()
    try:
        rows = psql(f"begin;\n{setup}{sql}\n;\nrollback;")
    except RuntimeError as error:
        run.errors.append(str(error)[-300:])
        return run
    for name, _, level, _, categories, _, detail, _, metadata, _ in rows:
        if "SECURITY" in categories:
            about = json.loads(metadata)
            place = f"{about.get('schema')}.{about.get('name')}"
            run.findings.append(Finding("lint", name, level, place, detail))
    return run


def ours(case, subject, folder, path=""):
    """`novelfoundry-isolation attack`, configured by what the case gives and no more."""
    arguments = [path, "attack", "--database-url", url(), "--json", "-"]
    if case.given:
        config = Path(folder, "isolation.toml")
        config.write_text(
            "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in case.given.items())
        )
        arguments += ["--config", str(config)]
    run = Run()
    for found in program(run, *arguments).get("findings", []):
        run.findings.append(Finding("attack", found["rule"], found["kind"], found["object"]))
    return run


@dataclass
class Gate:
    """A way to use a tool: which of its modes, and which levels fail."""

    title: str
    tool: str
    fails: dict  # mode: levels


GATES = [
    Gate("pgrls lint", "pgrls", {"lint": ("error", "warning")}),
    Gate("pgrls lint, errors only", "pgrls", {"lint": ("error",)}),
    Gate("pgrls verify, five modes with probe", "pgrls", {"verify": ("leak",)}),
    Gate("pgrls matrix, OPEN to the app", "pgrls", {"matrix": ("open",)}),
    Gate("pgrls, all of these", "pgrls", {"lint": ("error", "warning"), "verify": ("leak",), "matrix": ("open",)}),
    Gate("rlsgrid check", "rlsgrid", {"check": ("breach",)}),
    Gate("rlsgrid check and plan", "rlsgrid", {"check": ("breach",), "plan": ("unrestricted",)}),
    Gate("splinter", "splinter", {"lint": ("ERROR", "WARN")}),
    Gate("splinter, errors only", "splinter", {"lint": ("ERROR",)}),
    Gate("novelfoundry-isolation attack", "ours", {"attack": ("leak",)}),
]


def installed(options):
    tools = {}
    for name, tool in (("pgrls", pgrls), ("rlsgrid", rlsgrid)):
        if entry_points(group="console_scripts", name=name):
            tools[name] = tool
        else:
            print(f"{name} is not installed: skipped", file=sys.stderr)
    if options.splinter and options.splinter.is_file():
        sql = options.splinter.read_text()
        tools["splinter"] = lambda case, subject, folder: splinter(case, subject, folder, sql)
    else:
        print("splinter.sql is not given by --splinter: skipped", file=sys.stderr)
    if options.ours and shutil.which(options.ours):
        path = shutil.which(os.path.abspath(options.ours))
        tools["ours"] = lambda case, subject, folder: ours(case, subject, folder, path)
    else:
        print("novelfoundry-isolation is not given by --ours: skipped", file=sys.stderr)
    return tools


# ── the count ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def names(finding, wanted):
    """Says whether a finding names an object, in its place or in its text."""
    bare = wanted.removeprefix("role:")
    word = rf"(?<![\w.]){re.escape(bare)}(?!\w)"
    return re.search(word, finding.place) is not None or re.search(word, finding.text) is not None


def naming(findings, wanted):
    """Counts the places at which each rule names an object."""
    places = {(finding.mode, finding.rule, finding.place) for finding in findings if names(finding, wanted)}
    return Counter((mode, rule) for mode, rule, _ in places)


def accused(finding, subject):
    """The tenants' table, view, function or sequence of the schema that a finding is about, if it is about one."""
    path = finding.place.split(" ")[0].split("(")[0].split(".")
    place = ".".join(path[:2])
    return place if place in subject.known and place not in subject.shared else None


def score(case, gate, before, after, subject):
    """Judges one tool, used one way, on one case."""
    failing = [f for f in before.findings if f.level in gate.fails.get(f.mode, ())]
    if case.kind == "correct":
        alarms = sorted({f"{f.mode}:{f.rule} {place}" for f in failing if (place := accused(f, subject))})
        return {"alarm": bool(alarms), "alarms": alarms}
    if case.kind == "leaky":
        still = [f for f in after.findings if f.level in gate.fails.get(f.mode, ())]
    else:  # any level will do
        failing = [f for f in before.findings if f.mode in gate.fails]
        still = [f for f in after.findings if f.mode in gate.fails]
    named, by = True, []
    for wanted in case.expected:
        first, second = naming(failing, wanted), naming(still, wanted)
        named = named and bool(first)
        by.append([":".join(rule) for rule, count in first.items() if second[rule] < count])
    # After a run that failed nothing can be said to be gone.
    return {
        "named": named,
        "found": all(by) and not after.errors,
        "by": sorted({rule for rules in by for rule in rules}),
    }


def judge(case, tools, kept):
    """Runs every tool on a case, before and after its repair."""
    runs, subjects = {}, {}
    for repaired in (False, True) if case.fix.strip() else (False,):
        for name, tool in tools.items():
            load(case, repaired, kept)
            if repaired not in subjects:
                subjects[repaired] = describe(case, kept)
            with tempfile.TemporaryDirectory() as folder:
                runs[name, repaired] = tool(case, subjects[repaired], folder)
    result = {"kind": case.kind, "class": case.label, "expected": case.expected, "tools": {}, "gates": {}}
    result["app_role"], result["tenant_column"] = subjects[False].app_role, subjects[False].tenant_column
    for name in tools:
        before, after = runs[name, False], runs.get((name, True), Run())
        result["tools"][name] = {"before": asdict(before), "after": asdict(after)}
        for gate in GATES:
            if gate.tool == name:
                result["gates"][gate.title] = score(case, gate, before, after, subjects[False])
    return result


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def report(results, used):
    """Prints the totals, and what was found by class."""

    def count(kind, gate, key, label=None):
        those = [r for r in results.values() if r["kind"] == kind and label in (None, r["class"])]
        return sum(r["gates"][gate.title][key] for r in those), len(those)

    def shown(*arguments):
        return "{} of {}".format(*count(*arguments))

    head = ["tool", "leaks found", "leaks named", "false alarms", "traps found"]
    keys = [("leaky", "found"), ("leaky", "named"), ("correct", "alarm"), ("latent", "found")]
    print(table(head, [[gate.title, *(shown(kind, gate, key) for kind, key in keys)] for gate in used]))
    labels = sorted({r["class"] for r in results.values() if r["kind"] == "leaky"})
    rows = [
        [f"{label} ({count('leaky', used[0], 'found', label)[1]})"]
        + [count("leaky", gate, "found", label)[0] for gate in used]
        for label in labels
    ]
    for tool in dict.fromkeys(gate.tool for gate in used):
        runs = [run for r in results.values() for run in r["tools"][tool].values()]
        print(f"\n{tool}: {sum(bool(run['errors']) for run in runs)} of the runs had a command that failed.")
    print("\nLeaks found, by class:\n\n" + table(["class", *(gate.title for gate in used)], rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--ours", help="the program novelfoundry-isolation")
    parser.add_argument("--splinter", type=Path, help="splinter.sql")
    parser.add_argument("--results", type=Path, help="where to write every finding and verdict, as JSON")
    parser.add_argument("--only", default="", help="cases whose kind/name contains this")
    options = parser.parse_args()
    tools = installed(options)
    used = [gate for gate in GATES if gate.tool in tools]
    if not used:
        sys.exit("no tool is installed")
    kept, results = roles(), {}
    for kind in KINDS:
        for path in sorted((options.corpus / kind).glob("*.sql")):
            name = f"{kind}/{path.stem}"
            if options.only not in name:
                continue
            print(name, file=sys.stderr, flush=True)
            results[name] = judge(read_case(path), tools, kept)
    clear(kept)
    if options.results:
        options.results.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    report(results, used)


if __name__ == "__main__":
    main()
