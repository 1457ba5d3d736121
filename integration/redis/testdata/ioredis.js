// ioredis against the server at argv[2]: prints ok.
const assert = require('assert');
const Redis = require('ioredis');

async function main() {
	const [host, port] = process.argv[2].split(':');
	for (const more of [{}, { connectionName: 'a', username: 'default', password: 'x', db: 0 }]) {
		const redis = new Redis({ host, port: Number(port), ...more });
		redis.on('error', (err) => { console.error(err); process.exit(1); });
		assert.equal(await redis.set('k', 'v', 'EX', 60), 'OK');
		assert.equal(await redis.get('k'), 'v');
		assert.equal(await redis.get('none'), null);
		assert.deepEqual(await redis.mget('none', 'k'), [null, 'v']);
		assert.deepEqual(await redis.pipeline().incr('m').incrby('m', 41).exec(), [[null, 1], [null, 42]]);
		assert.equal(await redis.del('m'), 1);
		assert.match(await redis.info(), /redis_version:/);
		await assert.rejects(redis.call('NOSUCH'), /unknown command 'NOSUCH'/);
		await redis.quit();
	}
	console.log('ok');
}

main().catch((err) => { console.error(err); process.exit(1); });
