-- wrk -s pipeline.lua URL -- N: N requests in one segment.
init = function(args)
	local one = wrk.format()
	all = string.rep(one, tonumber(args[1]))
end

request = function()
	return all
end
