# near.awk - on ARM a text lies beside the code that names it: then its address is one
# instruction of 4 bytes or 2, and not a load, a word that is loaded, and an addition, of 8.
#
#	ldr	r1, .L8				adr	r1, .LC3_7
#	...
# .LPIC2:
#	add	r1, pc
#	...
# .L8:	.word	.LC3-(.LPIC2+4)		.LC3_7:	.ascii	"..."
#
# It lies behind the function, or, where that is too far away, behind words that are loaded
# in the middle of it. Of a text of several functions each has its own, if that is shorter.
# What has no place near enough stays where it was: the assembler says so if this has counted wrongly.
function word_of(s,	at) {		# .L8+4: a word behind a label
	return match(s, /\.L[0-9]+(\+[0-9]+)?$/) ? substr(s, RSTART) : ""
}
function bytes(s,	n) {
	if (s ~ /^\t\.byte/)
		return gsub(/,/, "", s) + 1
	n = s ~ /string/
	gsub(/\\([0-7][0-7][0-7]|.)/, "x", s)
	return length(substr(s, index(s, "\""))) - 2 + n
}
# The texts of a place, in an order in which many begin where the address is a
# multiple of 4: then that instruction may have 2 bytes.
function texts_of(p,	part, m, k, off, next_by, by, count, of_rest, lc) {
	next_by[0] = "0321"
	next_by[1] = "3210"
	next_by[2] = "2130"
	next_by[3] = "1"
	m = split(list[p], part, " ")
	for (k = 1; k <= m; k++)
		of_rest[size[part[k]] % 4, ++count[size[part[k]] % 4]] = part[k]
	if (m > 1)
		print "\t.align\t2"
	for (off = 0; m; ) {
		for (k = 1; (by = substr(next_by[off], k, 1)) != "" && !count[by]; k++)
			;
		if (by == "") {
			print "\t.byte\t0"
			off = 0
			continue
		}
		lc = of_rest[by, count[by]--]
		print lc "_" p ":"
		for (k = first[lc] + 1; k <= last[lc]; k++)
			print line[k]
		off = (off + by) % 4
		m--
	}
	print "\t.align\t1"
}
# Is there a short jump over that line, whose other end texts would move away?
function jumped_over(f, at,	k) {
	for (k = 0; k < jumps[f]; k++)
		if ((jump[f, k] < at) != (label_at[target[f, k]] < at))
			return 1
	return 0
}
# Where a text that line at of a function names may lie; none: 0
function place_for(f, at, more,	k, p, away) {
	for (k = nplaces[f]; k > 0; k--) {
		p = places[f, k]
		away = place[p] - place[at]
		if ((away < 0 ? -away : away) + size_of[p] + more <= 4000 && (p == behind[f] || !jumped_over(f, p)))
			return p
	}
	return 0
}
function may_move(i,	load, part, add) {
	load = loaded[word[i]]
	add = added[pic[i]]
	split(line[load], part, /[\t,]/)
	return text[i] in size && loads[word[i]] == 1 && line[add] == "\tadd\t" part[3] ", pc"
}
{ line[NR] = $0 }
/\.LC[0-9]+[^0-9:]|\.LC[0-9]+$/ {
	match($0, /\.LC[0-9]+/)
	mentions[substr($0, RSTART, RLENGTH)]++
}
/^\t\.section/ {
	code = $2 ~ /^\.text\./
	texts = $2 ~ /^\.rodata.*\.str1/
	fn += code
	pool = ""
}
texts && /^\.LC[0-9]+:$/ { first[lc = substr($0, 1, length($0) - 1)] = NR }
texts && /^\t\.(byte|ascii|string)\t/ {
	size[lc] += bytes($0)
	last[lc] = NR
}
!code { next }
pool != "" && off && !/^\t\.word/ { places[fn, ++nplaces[fn]] = NR }
/^\t\.size/ { places[fn, ++nplaces[fn]] = behind[fn] = NR }
/^\.LPIC/ { added[substr($0, 1, length($0) - 1)] = NR + 1 }
/^\t([a-z]|\.word)/ { end[fn] += 4 }
/^\t\.(2?byte)/ { end[fn] += 2 }
{ place[NR] = end[fn] }
/^\tldr\t[a-z0-9]+, \.L[0-9]/ {
	loads[w = word_of($0)]++
	loaded[w] = NR
}
/^\tcbn?z\t|^\t\.byte\t\(\.L/ {
	match($0, /\.L[0-9]+/)
	jump[fn, jumps[fn] + 0] = NR
	target[fn, jumps[fn]++] = substr($0, RSTART, RLENGTH)
}
/^\.L[0-9]+:$/ {
	pool = substr($0, 1, length($0) - 1)
	label_at[pool] = NR
	off = 0
	next
}
/^\t\.word/ && pool != "" {
	w = pool (off ? "+" off : "")
	named[w] = NR
	off += 4
	if ($2 ~ /^\.LC[0-9]+-\(\.LPIC[0-9]+\+4\)$/) {
		split($2, part, /-\(|\+/)
		where[n] = NR
		word[n] = w
		text[n] = lc = part[1]
		pic[n] = part[2]
		of[n++] = fn
	}
	next
}
!/^\t\.align/ { pool = "" }
END {
	for (i = 0; i < n; i++)
		if (may_move(i)) {
			users[text[i]] += !((text[i], of[i]) in user)
			user[text[i], of[i]]
			refs[text[i]]++
		}
	for (i = 0; i < n; i++) {
		f = of[i]
		lc = text[i]
		add = added[pic[i]]
		if (!may_move(i) || (users[lc] - (refs[lc] == mentions[lc])) * size[lc] >= 5 * refs[lc])
			continue
		if (!(p = place_for(f, add, size[lc])))
			continue
		mine = lc "_" p
		if (!(mine in put)) {
			put[mine]
			list[p] = list[p] " " lc
			size_of[p] += size[lc]
		}
		gone[where[i]]
		gone[loaded[word[i]]]
		split(line[loaded[word[i]]], part, /[\t,]/)
		line[add] = "\tadr\t" part[3] ", " mine
		if (++near[lc] == mentions[lc])
			for (k = first[lc]; k <= last[lc]; k++)
				gone[k]
	}
	for (w in named)
		if (w ~ /\+/) {
			label[named[w]] = w
			sub(/\+/, "_", label[named[w]])
		}
	for (i = 1; i <= NR; i++) {
		if (i in list)
			texts_of(i)
		if (i in label)
			print label[i] ":"
		if (i in gone)
			continue
		if ((w = word_of(line[i])) in named && w ~ /\+/)
			sub(/\+[0-9]+$/, "_" substr(w, index(w, "+") + 1), line[i])
		print line[i]
	}
}
