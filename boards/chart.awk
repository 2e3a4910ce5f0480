# chart.awk - husk boot -k | awk -f chart.awk >boot.svg: a boot as a picture, a row for each
# box: it waits for others, its starter is at work, it is getting ready, it runs
BEGIN { FS = "[.=]"; colour["start"] = "#ddd"; colour["go"] = "#69c"; colour["up"] = "#9c6"; colour["ready"] = "#eee" }
{
	at = ($(NF - 1) "." $NF) * 1000
	first = NR == 1 ? at : first
	last = at
	name = $1
	event = NF == 4 ? $2 : ""
	if (!(name in row)) {
		row[name] = ++rows
		names[rows] = name
	}
	if (event == "" || event == "start")
		began[name] = at
	n = ++marks[name]
	time[name, n] = at
	kind[name, n] = event == "start" ? "go" : event
	if (event == "go")
		kind[name, n - 1] = "start"		# what was taken for a start was a wait
}
END {
	wide = 700; left = 120; high = 18
	scale = wide / (last > first ? last - first : 1)
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"11\">\n", left + wide + 90, (rows + 2) * high
	printf "<text x=\"4\" y=\"13\">ms since process 1 began, %.3f s after the kernel</text>\n", first / 1000
	for (i = 1; i <= rows; i++) {
		name = names[i]
		y = (i + 1) * high
		printf "<text x=\"4\" y=\"%d\">%s</text>\n", y, name
		for (n = 1; n <= marks[name]; n++) {
			from = (time[name, n] - first) * scale
			to = n < marks[name] ? (time[name, n + 1] - first) * scale : kind[name, n] == "ready" || kind[name, n] == "up" ? wide : from + 1
			width = to - from > 1 ? to - from : 1
			fill = kind[name, n] == "" ? "#c66" : colour[kind[name, n]]
			if (kind[name, n] != "ended")
				printf "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", left + from, y - 11, width, high - 5, fill
		}
		printf "<text x=\"%.1f\" y=\"%d\">%.1f</text>\n", left + wide + 6, y, time[name, marks[name]] - first
	}
	print "</svg>"
}
