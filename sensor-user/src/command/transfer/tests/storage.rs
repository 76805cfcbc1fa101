//! Object storage, by the manuals that its modules name.

use super::check;

#[test]
fn buckets_have_a_direction() {
    check(&[
        ("aws s3 cp f s3://b/k", "out s3 b >f"),
        ("aws --profile p s3 cp s3://b/k /tmp/f --region eu-west-1", "in s3 b >/tmp/f"),
        ("aws s3 sync . s3://b --exclude '*' --delete", "out s3 b >."),
        ("aws s3 cp - s3://b/k", "out s3 b >-"),
        ("aws s3 sync s3://a s3://b", "both s3 a b"),
        ("aws s3 cp f s3://b/k --dryrun", "none s3 b >f"),
        ("aws --endpoint-url http://localhost:9000 s3 cp f s3://b/k", "out s3 b >f loopback"),
        ("aws --endpoint-url http://h:9000 s3 cp f s3://b/k", "out s3 b >f"),
        ("aws s3api put-object --bucket b --key k --body f", "out s3 b >f"),
        ("aws s3api get-object --bucket b --key k f", "in s3 b >f"),
        ("aws s3 ls", "none"),
        ("aws ec2 run-instances", "nothing"),
        ("python3 /usr/bin/aws s3 cp f s3://b/k", "out s3 b >f"),
        ("s3cmd -c cfg put f g s3://b/", "out s3 b >f >g"),
        ("s3cmd get s3://b/k", "in s3 b >."),
        ("s3cmd -n sync d s3://b/", "none s3 b >d"),
        ("s3cmd ls", "none"),
        ("mc cp f store/b/", "out s3 b >f"),
        ("mc mirror --exclude x store/b ./d", "in s3 b >./d"),
        ("mc pipe store/b/k", "out s3 b >-"),
        ("mc cat store/b/k", "in s3 b >-"),
        ("mc /home", "nothing"),
        ("gsutil -m cp -r d gs://b/", "out gs b >d"),
        ("gsutil -o a=b rsync -n gs://b d", "none gs b >d"),
        ("gsutil cat gs://b/k", "in gs b >-"),
        ("gsutil ls", "nothing"),
        ("gcloud storage cp gs://b/k . --project p", "in gs b >."),
        ("gcloud --account a storage rsync d gs://b", "out gs b >d"),
        ("gcloud compute scp f u@vm:/tmp --zone z", "out ssh u@vm >f"),
        ("gcloud compute instances list", "nothing"),
        ("az storage blob upload --account-name a -c b -n n -f f", "out azure b >f"),
        ("az storage blob download-batch -s b -d d", "in azure b >d"),
        ("az storage blob upload-batch -d b -s d", "out azure b >d"),
        (
            "az storage copy -s f -d https://a.blob.core.windows.net/b?sig=x",
            "out https a.blob.core.windows.net >f",
        ),
        ("az vm list", "nothing"),
        ("azcopy copy f https://a.blob.core.windows.net/b?sig=x", "out https a.blob.core.windows.net >f"),
        ("azcopy sync https://a/b d --delete-destination=true", "in https a >d"),
        ("azcopy list https://a/b", "nothing"),
    ]);
}

#[test]
fn rclone_and_restic_name_their_remotes() {
    check(&[
        ("rclone copy /data r:bucket/d --transfers 8", "out rclone bucket >/data"),
        ("rclone sync r:bucket /data", "in rclone bucket >/data"),
        ("rclone move a:x b:y", "both rclone x y"),
        ("rclone copy /data :s3,provider=AWS:b/d", "out s3 b >/data"),
        ("rclone copy ./a:b r:x", "out rclone x >./a:b"),
        ("rclone copy -n /data r:b", "none rclone b >/data"),
        ("rclone copy /a /b", "none >/a >/b"),
        ("rclone copyurl https://h/f f", "in https h >f"),
        ("rclone copyurl https://h/f r:b", "both https,rclone h b"),
        ("rclone cat r:b/k", "in rclone b"),
        ("rclone rcat r:b/k", "out rclone b"),
        ("rclone serve http /data --addr :8080", "out http >/data listens server"),
        ("rclone serve sftp r:b", "both sftp b loopback listens server"),
        ("rclone mount r:b /mnt", "both rclone b >/mnt"),
        ("rclone ls r:b", "nothing"),
        ("restic -r s3:https://h:9000/b backup /data", "out s3 h:9000 >/data"),
        ("restic -r sftp:u@h:/srv backup /data --exclude x", "out sftp u@h >/data"),
        ("restic --repo rest:https://u:p@h:8000/ restore latest --target /tmp", "in rest u@h:8000 >/tmp"),
        ("restic -r b2:b:path backup /data", "out b2 b >/data"),
        ("restic -r /srv/repo backup /data", "nothing"),
        ("restic -r b2:b:p backup -n /data", "none b2 b >/data"),
        ("restic -r b2:b:p snapshots", "nothing"),
    ]);
}
