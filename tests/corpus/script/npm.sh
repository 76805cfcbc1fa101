set -eu
mkdir -p /tmp/app
cd /tmp/app
echo '{"name": "app", "version": "1.0.0", "scripts": {"test": "node test.js"}}' >package.json
echo 'require("corpus-left")("x");' >test.js
npm install --registry http://mirror/npm --no-audit --no-fund --no-update-notifier corpus-left
npm test
