#!/usr/bin/env bash
# Builds tracegate with its tests and runs them. Without options: every test, then the unit tests once more under
# AddressSanitizer with UndefinedBehaviorSanitizer and under ThreadSanitizer. Its last line is "N passed, N failed"; it
# fails when a test failed or none ran.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=deploy/lib/install.sh
source "$root/deploy/lib/install.sh"

usage() {
	cat <<'TEXT'
Usage: bash tests/run.sh [options]
  --unit           only the unit tests
  --filter REGEX   only tests whose name matches (ctest -R)
  --asan, --tsan   unit and integration tests under these sanitizers, and nothing else
With --unit or --filter and no sanitizer, the plain build alone is tested.
TEXT
}

fail() {
	printf 'tests/run.sh: %s\n' "$*" >&2
	exit 1
}

runs=() selection=() is_narrowed=0
while (($#)); do
	case $1 in
	--unit) selection+=(-L '^unit$') && is_narrowed=1 && shift ;;
	--filter)
		[[ $# -ge 2 ]] || fail "--filter needs a regular expression"
		selection+=(-R "$2") && is_narrowed=1 && shift 2
		;;
	--asan | --tsan) runs+=("${1#--}") && shift ;;
	--help | -h) usage && exit 0 ;;
	*) usage >&2 && fail "no such option: $1" ;;
	esac
done

passed=0 failed=0 skipped=0
build_tests() { # preset, build folder
	local generator=()
	[[ -e $2/CMakeCache.txt ]] || generator=(-G Ninja)
	echo "== build ($1) in ${2#"$root"/}"
	cmake --preset "$1" -S "$root" -B "$2" "${generator[@]}" >"$2.log" 2>&1 || { cat "$2.log" >&2 && fail "cmake failed ($1)"; }
	cmake --build "$2" --parallel "$(nproc)" >"$2.log" 2>&1 || { tail -n 80 "$2.log" >&2 && fail "the build failed ($1)"; }
}

# Runs ctest and adds its counts up: "95% tests passed, 1 tests failed out of 20", and the tests it did not run.
run_ctest() { # build folder, ctest arguments...
	local log=$1.ctest.log wrapper=() total lost ignored
	# ThreadSanitizer of this compiler generation cannot map its shadow under the kernel's widest address randomisation.
	if setarch -R true 2>/dev/null; then
		wrapper=(setarch -R)
	fi
	"${wrapper[@]}" ctest --test-dir "$1" --output-on-failure --no-tests=ignore "${@:2}" 2>&1 | tee "$log" || true
	read -r lost total < <(sed -nE 's/^[0-9]+% tests passed, ([0-9]+) tests? failed out of ([0-9]+)$/\1 \2/p' "$log") || return 0
	ignored=$(grep -cE '\*\*\*Skipped|\(Skipped\)$' "$log" || true)
	ignored=$((ignored / 2)) # each is named where it ran and in the list at the end
	passed=$((passed + total - lost - ignored))
	failed=$((failed + lost))
	skipped=$((skipped + ignored))
}

# Unit tests share nothing and run side by side; the others measure time or own ports, so they run one after another.
run_tests() { # build folder, ctest arguments...
	run_ctest "$1" "${@:2}" -L '^unit$' --parallel "$(nproc)"
	[[ " ${*:2} " == *' ^unit$ '* ]] || run_ctest "$1" "${@:2}" -LE '^unit$'
}

install_packages build run test
mkdir -p "$root/build"
if ((${#runs[@]} == 0)); then
	build_tests dev "$root/build/dev"
	run_tests "$root/build/dev" "${selection[@]}"
	if ((!is_narrowed)); then
		for run in asan tsan; do
			build_tests "$run" "$root/build/$run"
			run_tests "$root/build/$run" -L '^unit$'
		done
	fi
else
	for run in "${runs[@]}"; do
		build_tests "$run" "$root/build/$run"
		run_tests "$root/build/$run" "${selection[@]}" -L '^(unit|integration)$'
	done
fi
((skipped == 0)) || echo "$skipped skipped"
echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
