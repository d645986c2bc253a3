#!/usr/bin/env python3
"""Runs the test suites and counts what ran.

  scripts/run_tests.py quick                   unit tests (C++ with few random cases, Python)
  scripts/run_tests.py all                     the same, end-to-end, Python and Node clients
  scripts/run_tests.py sanitize --preset asan  unit tests of a sanitizer build, then serving tests against its program

The last line is "N passed, M failed, K skipped"; it also goes to build/test-summary.txt. No test at all is a failure.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET  # nosec B405

ROOT = pathlib.Path(__file__).resolve().parent.parent


# The longest of the C++ suites: they start first, so that none is left running alone at the end.
LONGEST = ["test_text (serve-asan)", "test_tools", "test_compiler", "test_codegen", "test_text", "test_tune"]
# The serving half under AddressSanitizer and UBSan, in `all` of a release build: folders whose tests are in that build.
SANITIZED_PRESET = "serve-asan"
# There, fewer random cases, and neither the suites that mostly wait for the grammar library, which has no sanitizer,
# nor the cuts of texts, which `make fuzz` makes with one.
SANITIZED_SHORT = {
    "MLC_PROPERTY_CASES": "200",
    "GTEST_FILTER": "-GrammarSuites.*:CallGrammar.*:*GrammarVocabularies.*:ToolParserTest.AnyCutOfAnyTextGivesTheSame",
}


class Totals:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.lock = threading.Lock()

    def add(self, suite, passed, failed, skipped, seconds):
        with self.lock:
            self.passed += passed
            self.failed += failed
            self.skipped += skipped
            print(f"==> {suite}: {passed} passed, {failed} failed, {skipped} skipped in {seconds:.1f} s", flush=True)


def run_gtest(name, binary, env, totals):
    """Its output is printed when it has ended, in one piece: suites run beside each other."""
    report = binary.parent / f"{binary.name}.json"
    report.unlink(missing_ok=True)
    start = time.time()
    command = [binary, f"--gtest_output=json:{report}", "--gtest_brief=1"]
    done = subprocess.run(
        command, cwd=ROOT, env=env, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace"
    )
    code, seconds = done.returncode, time.time() - start
    print(done.stdout, end="", flush=True)
    if not report.exists():
        print(f"{name} ended with code {code} and no report", flush=True)
        totals.add(name, 0, 1, 0, seconds)
        return
    passed = failed = skipped = 0
    for suite in json.loads(report.read_text())["testsuites"]:
        for case in suite["testsuite"]:
            if case.get("result") == "SKIPPED":
                skipped += 1
            elif case.get("failures"):
                failed += 1
            else:
                passed += 1
    if code != 0 and failed == 0:
        failed = 1  # died after the report, for example by a sanitizer's exit code
    totals.add(name, passed, failed, skipped, seconds)


def run_cpp_suites(presets, wanted, env, totals):
    """Every test_* program of the presets' builds, one for each core at a time."""
    suites = []
    for preset in presets:
        for binary in sorted((ROOT / "build" / preset).glob("test_*")):
            name = binary.name if preset == presets[0] else f"{binary.name} ({preset})"
            if binary.is_file() and os.access(binary, os.X_OK) and binary.suffix == "" and wanted(name):
                suites.append((name, binary))
    suites.sort(key=lambda s: LONGEST.index(s[0]) if s[0] in LONGEST else len(LONGEST))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        started = []
        for name, binary in suites:
            short = {} if binary.parent.name == presets[0] else SANITIZED_SHORT
            started.append(pool.submit(run_gtest, name, binary, {**short, **env}, totals))
        for done in started:
            done.result()


def run_junit(name, command, report, env, totals, quiet=False):
    """Runs a command that writes a JUnit file. Quiet: what it says is printed when it has ended, in one piece."""
    report.unlink(missing_ok=True)
    start = time.time()
    out, err = (subprocess.PIPE, subprocess.STDOUT) if quiet else (None, None)
    done = subprocess.run(command, cwd=ROOT, env=env, check=False, stdout=out, stderr=err, text=True)
    code, seconds = done.returncode, time.time() - start
    if quiet:
        print(done.stdout, end="", flush=True)
    if not report.exists():
        print(f"{name} ended with code {code} and no report", flush=True)
        totals.add(name, 0, 1, 0, seconds)
        return
    root = ET.parse(report).getroot()  # nosec B314
    cases = list(root.iter("testcase"))
    failed = sum(1 for c in cases if c.find("failure") is not None or c.find("error") is not None)
    skipped = sum(1 for c in cases if c.find("skipped") is not None)
    if code != 0 and failed == 0:
        failed = 1
    totals.add(name, max(0, len(cases) - failed - skipped), failed, skipped, seconds)


def run_tap(name, command, env, totals):
    """Runs a command that ends with TAP's counts ("# pass 3")."""
    start = time.time()
    done = subprocess.run(command, cwd=ROOT, env=env, check=False, stdout=subprocess.PIPE, text=True)
    seconds = time.time() - start
    counts = dict(re.findall(r"^# (pass|fail|cancelled|skipped) (\d+)$", done.stdout, re.MULTILINE))
    failed = int(counts.get("fail", 0)) + int(counts.get("cancelled", 0))
    if done.returncode != 0 and failed == 0:
        failed = 1
    if failed:
        print(done.stdout, flush=True)
    totals.add(name, int(counts.get("pass", 0)), failed, int(counts.get("skipped", 0)), seconds)


def run_package_suites(what, wanted, build, env, totals):
    """Those of the Python package; measurements are for quiet machines (make test-perf)."""
    for suite in {"quick": ["unit"], "all": ["unit", "integration"]}.get(what, []):
        name = f"python-{suite}"
        if wanted(name):
            report = build / f"{name}.xml"
            # Slow ones build in this tree: `make test-integration` runs them.
            command = ["tests/run.sh", f"tests/{suite}", "-n", "auto", "-m", "not slow", f"--junitxml={report}"]
            run_junit(name, command, report, env, totals)


def run_deployment_suites(wanted, build, env, totals):
    """Waits for servers, proxies and scrapes most of the time: runs beside the suites that compute."""
    for name, folder in (("infra", "infra"), ("image", "images")):
        if wanted(name):
            report = build / f"{name}.xml"
            run_junit(name, [f"tests/{folder}/run.sh", f"--junitxml={report}"], report, env, totals, quiet=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["quick", "all", "sanitize"])
    parser.add_argument("--preset", default="release")
    parser.add_argument("--only", default="", help="substring of the suite names to run")
    args = parser.parse_args()
    build = ROOT / "build" / args.preset
    env = dict(os.environ)
    env.setdefault("MLC_TEST_DATA", str(ROOT.parent / "shared" / "data"))
    env["MLC_LLM_BIN"] = str(build / "bin" / "mlc_llm")
    env["MLC_LLM_LIB"] = str(build / "lib" / "libmlc_llm.so")
    env["MLC_LLM_HOME"] = str(build / "test-home")
    env.setdefault("TSAN_OPTIONS", f"suppressions={ROOT / 'scripts' / 'tsan.supp'}")
    if args.what == "quick":
        env.setdefault("MLC_PROPERTY_CASES", "8")
    totals = Totals()

    def wanted(name):
        return args.only in name

    presets = [args.preset] + ([SANITIZED_PRESET] if (args.what, args.preset) == ("all", "release") else [])
    run_cpp_suites(presets, wanted, env, totals)
    run_package_suites(args.what, wanted, build, env, totals)
    program, model = str(build / "bin" / "mlc_llm"), str(ROOT / "models" / "demo")
    beside = threading.Thread(target=run_deployment_suites, args=(wanted, build, env, totals))
    if args.what == "all":
        beside.start()
    if args.what in ("all", "sanitize"):
        if wanted("client-python"):
            report = build / "client-python.xml"
            run_junit(
                "client-python", ["tests/python/run.sh", program, model, f"--junitxml={report}"], report, env, totals
            )
        if wanted("client-node"):
            run_tap("client-node", ["tests/node/run.sh", program, model, "--test-reporter=tap"], env, totals)
    if args.what == "all" and wanted("web"):
        run_tap("web", ["tests/web/run.sh", program, model, "--test-reporter=tap"], env, totals)
    if args.what == "all" and wanted("cli"):
        report = build / "cli.xml"
        # A file stays in one process: its models are compiled once.
        command = ["tests/cli/run.sh", program, model, "-n", "auto", "--dist", "loadfile", f"--junitxml={report}"]
        run_junit("cli", command, report, env, totals)
    if args.what == "all":
        beside.join()

    line = f"{totals.passed} passed, {totals.failed} failed, {totals.skipped} skipped"
    summary = ROOT / "build" / "test-summary.txt"
    summary.write_text(line + "\n")
    if totals.passed + totals.failed == 0:
        print("no test ran: that is a failure", file=sys.stderr)
        return 1
    print(line, flush=True)
    return 1 if totals.failed else 0


if __name__ == "__main__":
    sys.exit(main())
