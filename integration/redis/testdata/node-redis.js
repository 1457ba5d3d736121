// node-redis against the server at argv[2]: prints ok.
const assert = require('assert');
const { createClient } = require('redis');

async function main() {
	const options = [{}, { name: 'a', username: 'default', password: 'x', database: 0 }];
	if (require('redis/package.json').version >= '5') options.push({ RESP: 3 });
	for (const more of options) {
		const client = createClient({ url: 'redis://' + process.argv[2], ...more });
		client.on('error', (err) => { console.error(err); process.exit(1); });
		await client.connect();
		assert.equal(await client.set('k', 'v', { EX: 60 }), 'OK');
		assert.equal(await client.get('k'), 'v');
		assert.equal(await client.get('none'), null);
		assert.deepEqual(await client.mGet(['none', 'k']), [null, 'v']);
		assert.equal(await client.del('n'), 0);
		assert.deepEqual(await Promise.all([client.incr('n'), client.incrBy('n', 41), client.ping()]), [1, 42, 'PONG']);
		assert.match(await client.info(), /redis_version:/);
		assert.equal((await client.configGet('databases')).databases, '1');
		assert.equal(await client.del('n'), 1);
		await assert.rejects(client.sendCommand(['NOSUCH']), /unknown command 'NOSUCH'/);
		await client.quit();
	}
	console.log('ok');
}

main().catch((err) => { console.error(err); process.exit(1); });
