#!/usr/bin/env bash
# Installs the packages of some groups of deploy/packages.txt where they are missing; quick when nothing is. Sourced for
# install_packages GROUP..., or run: bash deploy/lib/install.sh GROUP... Services of installed packages are not started.
# TRACEGATE_NO_INSTALL=1 only checks.

install_list=$(dirname "${BASH_SOURCE[0]}")/../packages.txt

# Prints the packages of the groups that are neither installed nor made needless by a command.
missing_packages() {
	local groups=" $* " group package command installed
	local -A seen=()
	installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')
	while read -r group package command; do
		[[ $group != '#'* && $groups == *" $group "* && -z ${seen[$package]:-} ]] || continue
		seen[$package]=1
		[[ -n $command ]] && command -v "$command" >/dev/null && continue
		grep -qxF -- "$package" <<<"$installed" || echo "$package"
	done <"$install_list"
}

# Runs apt-get as root with service starts forbidden: an existing policy is respected, ours goes away again.
run_apt() {
	local as_root=()
	if ((EUID != 0)); then
		command -v sudo >/dev/null || { echo "Not root, and no sudo here: install them as root: apt-get install $*" >&2; return 1; }
		as_root=(sudo)
	fi
	# shellcheck disable=SC2016 # the inner shell expands it
	"${as_root[@]}" sh -c '
		policy=/usr/sbin/policy-rc.d
		if [ ! -e "$policy" ]; then
			trap "rm -f $policy" EXIT
			trap "exit 1" INT TERM HUP
			printf "#!/bin/sh\nexit 101\n" >"$policy" && chmod 755 "$policy" || exit 1
		fi
		export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
		apt-get -q -o Acquire::Retries=3 update &&
			apt-get -q -y -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 install --no-install-recommends "$@"
	' install "$@"
}

install_packages() {
	local missing
	mapfile -t missing < <(missing_packages "$@")
	if ((${#missing[@]} == 0)); then
		return 0
	fi
	if [[ ${TRACEGATE_NO_INSTALL:-0} == 1 ]] || ! command -v apt-get >/dev/null; then
		echo "Missing, by their Debian names: ${missing[*]}" >&2
		echo "Install them first (this script does it only where there is apt-get and TRACEGATE_NO_INSTALL is not 1)." >&2
		return 1
	fi
	echo "Installing with apt-get: ${missing[*]}"
	run_apt "${missing[@]}" || { echo "apt-get could not install: ${missing[*]}" >&2; return 1; }
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
	set -euo pipefail
	install_packages "$@"
fi
