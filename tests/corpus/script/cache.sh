exec redis-server --protected-mode no --save '' --dir /tmp
