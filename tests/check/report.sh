# Stages of ./check: each is a program, runs with a time limit and its output in a log, is counted, timed and shown in a line.
# Sourced. What counts as passed:
#   lint      the command succeeds: one
#   cargo     the sum of cargo's `test result:` lines; nothing found, or an ignored test, is a failure
#   counted   the last `N passed[, M failed]` that the command prints; none, or zero, is a failure
# shellcheck shell=bash

PASSED=0 FAILED=0 STAGES=0 STARTED=0 LAST_FAILED=0 RESULTS=() BESIDE=()

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
  bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
  bold='' dim='' green='' red='' plain=''
fi

start_report() {
  STARTED=$SECONDS
  rm -rf "$ARTEFACTS/logs"
  mkdir -p "$ARTEFACTS/logs" "$TOOLS"
}

title() { printf '\n%sramz%s · %s\n\n' "$bold" "$plain" "$1"; }

# 75 → 1:15
clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

# stage NAME KIND LIMIT COMMAND…: runs it, and tells what came of it.
stage() {
  local name=$1 kind=$2 limit=$3 log from=$SECONDS status=0
  shift 3
  STAGES=$((STAGES + 1))
  log=$(log_of "$name")
  printf '  %-38s' "$name"
  timeout --kill-after=10 "$limit" "$@" >"$log" 2>&1 || status=$?
  tell "$name" "$kind" "$limit" "$log" "$status" "$(clock $((SECONDS - from)))"
}

# beside NAME KIND LIMIT COMMAND…: begins it, and goes on. It has of the processors what the stages that follow leave: most tests wait
# for clocks, sockets and disks half of the time. With NICE=0 it is one like them.
beside() {
  local name=$1 kind=$2 limit=$3 log
  shift 3
  STAGES=$((STAGES + 1))
  log=$(log_of "$name")
  nice -n "${NICE:-19}" timeout --kill-after=10 "$limit" "$@" >"$log" 2>&1 &
  BESIDE+=("$!|$name|$kind|$limit|$log")
  trap end_beside EXIT
}

# Waits for what was begun beside, and tells what came of it. How long it took says nothing.
rejoin() {
  local begun pid name kind limit log status
  for begun in "${BESIDE[@]}"; do
    IFS='|' read -r pid name kind limit log <<<"$begun"
    printf '  %-38s' "$name"
    status=0
    wait "$pid" || status=$?
    tell "$name" "$kind" "$limit" "$log" "$status" beside
  done
  BESIDE=()
}

# Nothing goes on when the report has ended. `timeout` leads a group of its own; one that has just begun its command does not pass a
# signal on yet.
end_beside() {
  local begun pid
  for begun in "${BESIDE[@]}"; do
    pid=${begun%%|*}
    kill -- "-$pid" 2>/dev/null || kill "$pid" 2>/dev/null || true
  done
}

log_of() { printf '%s/logs/%02d-%s.log' "$ARTEFACTS" "$STAGES" "${1//[^a-zA-Z0-9]/-}"; }

# tell NAME KIND LIMIT LOG STATUS TOOK: counts and shows a stage that has ended.
tell() {
  local name=$1 kind=$2 limit=$3 log=$4 status=$5 took=$6 passed=0 failed=0 ignored=0
  case $kind in
    lint) passed=1 ;;
    cargo)
      read -r passed failed ignored < <(awk '/^test result:/ { p += $4; f += $6; i += $8 } END { print p+0, f+0, i+0 }' "$log")
      if ((ignored > 0)); then
        echo "$ignored tests are ignored: an ignored test holds nothing" >>"$log"
        failed=$((failed + ignored))
      fi
      ;;
    counted)
      read -r passed failed < <(awk '
        match($0, /[0-9]+ passed/) { p = substr($0, RSTART) + 0; f = match($0, /[0-9]+ failed/) ? substr($0, RSTART) + 0 : 0 }
        END { print p+0, f+0 }' "$log")
      ;;
  esac
  if ((status == 124)); then
    echo "cut off after $limit" >>"$log"
  fi
  if ((status == 0 && passed + failed == 0)); then
    echo 'nothing ran' >>"$log"
    failed=1
  fi
  if ((status != 0 && failed == 0)); then
    if [[ $kind == lint ]]; then passed=0; fi
    failed=1
  fi
  PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed)) LAST_FAILED=$failed
  RESULTS+=("$name|$passed|$failed|$took")
  if ((failed == 0)); then
    printf '%s✓%s %5d passed %s%8s%s\n' "$green" "$plain" "$passed" "$dim" "$took" "$plain"
  else
    printf '%s✗ %5d failed%s %s%8s%s\n' "$red" "$failed" "$plain" "$dim" "$took" "$plain"
    excerpt "$log"
  fi
}

# The part of a log that says what went wrong.
excerpt() {
  local log=$1
  awk '
    /^error(\[|:)/ { left = 9 }
    /^---- .* stdout ----/ { left = 24 }
    /^failures:|^test result:/ { left = 0 }
    /✗|^not ok|^FAIL|are ignored/ { left = 2 }
    /^test .* ok$|^running |^note: |^stack backtrace/ { next }
    left > 0 && shown < 70 { print; left--; shown++ }
    { kept[NR % 12] = $0 }
    END {
      if (!shown) for (n = NR - 11; n <= NR; n++) if (n > 0 && (n % 12) in kept) print kept[n % 12]
      else if (shown == 70) print "…"
    }' "$log" | sed 's/^/      │ /'
  printf '      └ %s\n' "${log#"$PWD"/}"
}

# Nothing that follows makes sense without the stage before.
must_hold() {
  if ((LAST_FAILED > 0)); then finish; fi
}

# The last line of the output.
finish() {
  printf '\n  %stook %s, logs in %s%s\n\n' "$dim" "$(clock $((SECONDS - STARTED)))" "${ARTEFACTS#"$PWD"/}/logs" "$plain"
  printf '%d passed, %d failed\n' "$PASSED" "$FAILED"
  if ((FAILED > 0)); then exit 1; fi
  exit 0
}

# write_results FOLDER: a dated page with what ran, where, for how long.
write_results() {
  local page line
  mkdir -p "$1"
  page="$1/$(date -u +%F)-long.md"
  {
    printf '# %s: ./check long\n\n' "$(date -u +%F)"
    printf 'Commit %s · %s · %s cores\n\n' "$(git rev-parse --short HEAD)" "$(rustc --version)" "$(nproc)"
    printf '| stage | passed | failed | took |\n|---|---:|---:|---:|\n'
    for line in "${RESULTS[@]}"; do printf '| %s |\n' "${line//|/ | }"; done
    printf '\n%d passed, %d failed\n' "$PASSED" "$FAILED"
  } >"$page"
}
