#!/bin/sh
# layout.sh - the number of what one husk hands to the next (init/upgrade.c): a sum over the
# definitions of what is handed over, without comments and blanks. Whoever changes a field,
# their order or their numbers gets another one, and nobody has to think of it.
# In husk.h those named here count; of a file that has a NAME_carry() every struct does.
set -eu
cd "$(dirname "$0")/.."
what='board_plan|terminal|who|restart|giveup|readykind|logkind|life|planned|left|watched|due|livestate|event|live|msg'
# shellcheck disable=SC2046 # names of files
awk -v named="^enum ($what) |^struct ($what) " '
	{ gsub(/\/\*[^*]*\*\//, ""); sub(/\/\*.*/, ""); gsub(/[ \t]+/, " "); sub(/^ /, ""); sub(/ $/, "") }
	/^(static )?(struct|enum) [^;()=]*\{/	{ on = FILENAME ~ /husk\.h$/ ? $0 ~ named : !/^enum \{/ }
	on && NF			{ print }
	/^\}|\};$/			{ on = 0 }' \
	init/husk.h init/starter.c $(grep -lE '^void [a-z]*_carry\(' ./*/*.c | LC_ALL=C sort) | ${CKSUM-cksum} | cut -d " " -f 1
